internal import SwiftProtobuf
internal import TesseraFederation

extension Exchange.Metadata {
  /// Reads what is known about an exchange.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if a number is negative.
  init(_ proto: Tessera_Federation_V1_Metadata) throws {
    self.init(
      steps: proto.hasSteps ? try Int(wire: proto.steps) : nil,
      samples: proto.hasSamples ? try Int(wire: proto.samples) : nil,
      weight: proto.hasWeight ? proto.weight : nil,
      round: proto.hasRound ? try Int(wire: proto.round) : nil,
      rounds: proto.hasRounds ? try Int(wire: proto.rounds) : nil,
      contributor: proto.hasContributor ? proto.contributor : nil,
      algorithm: proto.hasAlgorithm ? proto.algorithm : nil
    )
    excluded = proto.excluded
    processing = try proto.processing.map(Exchange.Processing.init)
  }

  var proto: Tessera_Federation_V1_Metadata {
    .with {
      if let steps { $0.steps = Int64(steps) }
      if let samples { $0.samples = Int64(samples) }
      if let weight { $0.weight = weight }
      if let round { $0.round = Int64(round) }
      if let rounds { $0.rounds = Int64(rounds) }
      if let contributor { $0.contributor = contributor }
      if let algorithm { $0.algorithm = algorithm }
      $0.excluded = excluded
      $0.processing = processing.map(\.proto)
    }
  }
}

extension Exchange.Processing {
  fileprivate init(_ proto: Tessera_Federation_V1_Processing) throws {
    self.init(
      proto.algorithm,
      tensors: proto.tensors,
      parameters: proto.parameters,
      bytesBefore: try Int(wire: proto.bytesBefore),
      bytesAfter: try Int(wire: proto.bytesAfter)
    )
  }

  fileprivate var proto: Tessera_Federation_V1_Processing {
    .with {
      $0.algorithm = algorithm
      $0.tensors = tensors
      $0.parameters = parameters
      $0.bytesBefore = Int64(bytesBefore)
      $0.bytesAfter = Int64(bytesAfter)
    }
  }
}
