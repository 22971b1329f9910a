internal import Foundation

/// What a site says to a trainer: one line of its socket.
///
/// docs/trainer-protocol.md describes all messages.
enum TrainerOrder: Sendable, Equatable {
  /// The answer to `hello`.
  case welcome(Welcome)
  /// Something to do.
  case task(Task)
  /// Nobody waits for an answer: the trainer is to end, and will be ended.
  case abort(reason: String)
  /// What the trainer sent broke the protocol.
  case error(message: String)
  /// The job is over.
  case end

  /// The version of the protocol that this site speaks.
  static let version = 1

  /// Whom a trainer works for.
  struct Welcome: Sendable, Equatable, Encodable {
    var type = "welcome"
    var `protocol` = TrainerOrder.version
    var job: String
    var site: String
    var siteIndex: Int
    var data: String?
    var folder: String

    private enum CodingKeys: String, CodingKey {
      case type, `protocol`, job, site, data, folder
      case siteIndex = "site_index"
    }
  }

  /// Something to do.
  struct Task: Sendable, Equatable, Encodable {
    var type = "task"
    /// Its number, by which the trainer answers.
    var task: Int
    var name: String
    var round: Int
    var rounds: Int?
    /// 1, or 2 after the trainer's death.
    var attempt = 1
    var seed: UInt64
    /// The model's tensors, in the folder that both share.
    var file: String?
    var metadata: Metadata
    var metrics: [String: Double]
    var headers: [String: String]
  }

  /// What is known of a task's model.
  struct Metadata: Sendable, Equatable, Encodable {
    var samples: Int?
    var weight: Double?
    var steps: Int?
    var algorithm: String?
    var contributor: String?
  }

  private struct Word: Encodable {
    var type: String
    var reason: String?
    var message: String?
  }

  /// The line, with its newline.
  ///
  /// - Throws: `EncodingError` if it cannot be written.
  func line() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    let data =
      switch self {
      case .welcome(let welcome): try encoder.encode(welcome)
      case .task(let task): try encoder.encode(task)
      case .abort(let reason): try encoder.encode(Word(type: "abort", reason: reason))
      case .error(let message): try encoder.encode(Word(type: "error", message: message))
      case .end: try encoder.encode(Word(type: "end"))
      }
    return Array(data) + [UInt8(ascii: "\n")]
  }
}
