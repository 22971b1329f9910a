internal import Foundation
internal import SystemPackage
internal import TesseraRun

extension RunRecord {
  /// The first result that is no model whose file is not what was written at the end of a finished run.
  func changedDocument(in manifest: RunManifest) -> RunDifference? {
    for training in manifest.trainings {
      for (name, digest) in (training.rounds.last?.documents ?? [:]).sorted(by: { $0.key < $1.key })
      {
        let file = documentFile(name, of: training.name)
        guard (try? Digest.sha256(ofFile: file)) != digest else { continue }
        return RunDifference(
          training: training.name,
          round: training.rounds.count,
          what: "\(file.lastComponent?.string ?? name) is not the file that was written",
          document: name
        )
      }
    }
    return nil
  }

  /// A result as it was after a round, or `nil` if it is no longer known.
  fileprivate func document(
    _ name: String,
    of training: RunManifest.Training,
    after round: Int
  ) -> String? {
    let candidates =
      [
        FileManager.default.contents(atPath: documentFile(name, of: training.name).string)
          .map { String(decoding: $0.dropLast(), as: UTF8.self) }
      ]
      + Set([round, training.rounds.count]).sorted().map { round in
        try? WorkflowState(contentsOf: stateFile(of: training.name, after: round)).documents[name]
      }
    guard let entry = training.rounds.first(where: { $0.round == round }) else {
      return candidates.compactMap { $0 }.first
    }
    let digest = entry.documents?[name]
    return candidates.compactMap { $0 }.first { Digest.sha256(ofText: $0 + "\n") == digest }
  }
}

extension RunDifference {
  /// The difference with the place in the result that differs, if both runs still have it.
  func located(
    in record: RunRecord,
    _ manifest: RunManifest,
    and repetition: RunRecord
  ) -> RunDifference {
    guard let document,
      let training = manifest.trainings.first(where: { $0.name == self.training }),
      let fresh = try? repetition.manifest().trainings.first(where: { $0.name == self.training }),
      let a = record.document(document, of: training, after: round),
      let b = repetition.document(document, of: fresh, after: round),
      let place = Self.place(a, b, document)
    else { return self }
    var result = self
    result.what += ": \(place)"
    return result
  }

  private static func place(_ a: String, _ b: String, _ document: String) -> String? {
    func decoded<Value: Decodable>(_ text: String, _ type: Value.Type) -> Value? {
      try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
    if document == CrossSiteMatrix.document, let a = decoded(a, CrossSiteMatrix.self),
      let b = decoded(b, CrossSiteMatrix.self), let place = a.place(differingFrom: b)
    {
      return place
    }
    guard let a = try? JSONSerialization.jsonObject(with: Data(a.utf8), options: .fragmentsAllowed),
      let b = try? JSONSerialization.jsonObject(with: Data(b.utf8), options: .fragmentsAllowed)
    else { return nil }
    let path = path(a, b)
    return path.map { $0.map { "'\($0)'" }.joined(separator: ", ") }
  }

  /// The keys and positions that lead to the first difference of two values; `nil` if they are equal.
  private static func path(_ a: Any, _ b: Any) -> [String]? {
    if let a = a as? [String: Any], let b = b as? [String: Any] {
      for key in Set(a.keys).union(b.keys).sorted() {
        guard let x = a[key], let y = b[key] else { return [key] }
        if let rest = path(x, y) { return [key] + rest }
      }
      return nil
    }
    if let a = a as? [Any], let b = b as? [Any] {
      for (index, (x, y)) in zip(a, b).enumerated() {
        if let rest = path(x, y) { return ["\(index + 1)"] + rest }
      }
      return a.count == b.count ? nil : ["\(min(a.count, b.count) + 1)"]
    }
    guard let a = a as? NSObject, let b = b as? NSObject else { return [] }
    return a.isEqual(b) ? nil : []
  }
}

extension CrossSiteMatrix {
  /// The first row and column that differ.
  fileprivate func place(differingFrom other: CrossSiteMatrix) -> String? {
    for (row, (a, b)) in zip(models, other.models).enumerated() {
      if a != b { return "the row of '\(a)'" }
      guard cells.indices.contains(row), other.cells.indices.contains(row) else { return nil }
      for (column, (x, y)) in zip(cells[row], other.cells[row]).enumerated() where x != y {
        let site = sites.indices.contains(column) ? sites[column] : "\(column + 1)"
        return "the row of '\(a)', the column of '\(site)'"
      }
    }
    guard models.count == other.models.count else { return "the number of rows" }
    return sites == other.sites ? nil : "the columns"
  }
}
