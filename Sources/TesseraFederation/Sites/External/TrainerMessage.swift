internal import Foundation

/// What a trainer says: one line of its socket.
///
/// docs/trainer-protocol.md describes all messages.
enum TrainerMessage: Sendable, Equatable {
  /// The first message: the versions of the protocol that the trainer speaks.
  case hello(versions: [Int])
  /// The work goes on.
  case progress
  /// A measurement for the site's own log.
  case log(name: String, value: Double, step: Int?)
  /// What became of a task.
  case answer(TrainerAnswer)
  /// Why a task has no answer.
  case refusal(task: Int, code: ReturnCode, reason: String?)

  /// The longest line of either side in bytes, the newline among them.
  static let longestLine = 1 << 20
  /// How long a name may be, in bytes.
  private static let longestName = 512
  /// The largest count that a JSON number holds exactly.
  private static let largestCount = 1 << 53

  /// Reads a line.
  ///
  /// - Throws: ``TrainerViolation`` that says what is wrong with it, and holds nothing of it but the names of the protocol.
  init(line: [UInt8]) throws {
    let fields: Fields
    do {
      fields = try JSONDecoder().decode(Fields.self, from: Data(line))
    } catch {
      throw TrainerViolation("a line is not JSON of the protocol's form\(Self.place(of: error))")
    }
    switch fields.type {
    case "hello":
      let versions = try Self.required(fields.protocol, "protocol", of: "hello")
      guard (1...64).contains(versions.count) else {
        throw TrainerViolation("'hello' lists \(versions.count) versions")
      }
      self = .hello(versions: versions)
    case "progress": self = .progress
    case "log":
      let name = try Self.required(fields.name, "name", of: "log")
      guard name.utf8.count <= Self.longestName else {
        throw TrainerViolation("the name of a 'log' has \(name.utf8.count) bytes")
      }
      self = .log(
        name: name,
        value: try Self.required(fields.value, "value", of: "log").value,
        step: try Self.count(fields.step, "step")
      )
    case "answer": self = .answer(try Self.answer(fields))
    case "refuse":
      let why = try Self.required(fields.why, "why", of: "refuse")
      guard let code = Self.refusals[why] else {
        throw TrainerViolation("'refuse' gives a reason that the protocol has not")
      }
      self = .refusal(
        task: try Self.required(fields.task, "task", of: "refuse"),
        code: code,
        reason: fields.reason
      )
    default: throw TrainerViolation("a message is of a type that the protocol has not")
    }
  }

  /// Why a trainer may have no answer, as it says it.
  private static let refusals: [String: ReturnCode] = [
    "unknown task": .unknownTask, "bad task": .badTask, "nothing to share": .nothingToShare,
    "failed": .executionFailed,
  ]

  private static func answer(_ fields: Fields) throws -> TrainerAnswer {
    let kind = try required(fields.kind, "kind", of: "answer")
    let kinds: [String: Exchange.Kind] = [
      "weights": .weights, "weight difference": .weightDifference, "metrics": .metrics,
    ]
    guard let known = kinds[kind] else {
      throw TrainerViolation("'answer' is of a kind that the protocol has not")
    }
    guard known.isModel == (fields.file != nil) else {
      throw TrainerViolation(
        known.isModel ? "'answer' has a model and no file" : "'answer' has a file and no model"
      )
    }
    let metrics = fields.metrics ?? [:]
    for name in metrics.keys where name.utf8.count > longestName {
      throw TrainerViolation("the name of a metric has \(name.utf8.count) bytes")
    }
    return TrainerAnswer(
      task: try required(fields.task, "task", of: "answer"),
      kind: known,
      file: fields.file,
      metrics: metrics.mapValues(\.value),
      samples: try count(fields.samples, "samples"),
      steps: try count(fields.steps, "steps")
    )
  }

  private static func required<Value>(
    _ value: Value?,
    _ field: String,
    of type: String
  ) throws -> Value {
    guard let value else { throw TrainerViolation("'\(type)' has no field '\(field)'") }
    return value
  }

  private static func count(_ value: Int?, _ field: String) throws -> Int? {
    guard let value else { return nil }
    guard (0...largestCount).contains(value) else {
      throw TrainerViolation("'\(field)' is not in 0...\(largestCount)")
    }
    return value
  }

  /// Where JSON does not fit: the field alone, since a value may be anything.
  private static func place(of error: any Error) -> String {
    let context: DecodingError.Context? =
      switch error as? DecodingError {
      case .typeMismatch(_, let context), .valueNotFound(_, let context),
        .keyNotFound(_, let context), .dataCorrupted(let context):
        context
      default: nil
      }
    guard let field = context?.codingPath.first?.stringValue else { return "" }
    return ": '\(field)' is not what it should be"
  }

  private struct Fields: Decodable {
    var type: String
    var `protocol`: [Int]?
    var name: String?
    var value: Number?
    var step: Int?
    var task: Int?
    var kind: String?
    var file: String?
    var metrics: [String: Number]?
    var samples: Int?
    var steps: Int?
    var why: String?
    var reason: String?
  }

  /// A number, or one of those that JSON has not, as text.
  private struct Number: Decodable {
    var value: Double

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        value = number
        return
      }
      switch try container.decode(String.self) {
      case "nan": value = .nan
      case "inf": value = .infinity
      case "-inf": value = -.infinity
      default:
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a number")
      }
    }
  }
}

/// What became of a task, as a trainer says it.
struct TrainerAnswer: Sendable, Equatable {
  /// The number of the task.
  var task: Int
  /// A model, its difference, or measurements alone.
  var kind: Exchange.Kind
  /// The file of the model's tensors, in the folder that trainer and site share.
  var file: String?
  /// What was measured.
  var metrics: [String: Double]
  /// How many examples it rests on.
  var samples: Int?
  /// How many steps of an optimiser led to it.
  var steps: Int?
}

/// A trainer has broken the protocol.
struct TrainerViolation: Error, Equatable {
  /// How: in words that hold nothing of what it sent.
  var message: String

  init(_ message: String) { self.message = message }
}
