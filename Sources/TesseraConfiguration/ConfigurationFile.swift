internal import Foundation
public import SystemPackage

/// A file of YAML that says what is to be done, and that cannot do anything itself.
///
///     struct Job {
///       var rounds: Int
///       var fraction: Double
///       var model: ModelSettings
///       var aggregation: any AggregationRule
///
///       init(_ job: Mapping) throws {
///         rounds = try job.required("rounds", .integer(in: 1...10_000))
///         fraction = try job.optional("fraction", .number(in: 0.001...1), default: 1)
///         model = try job.required("model", .mapping(ModelSettings.init))
///         aggregation = try job.optional("aggregation", .component(from: rules), default: .mean)
///       }
///     }
///     let job = try ConfigurationFile(contentsOf: "job.yaml").decode(Job.init)
///
/// What is read is YAML 1.2 in its core schema, less what surprises people: one document, no tags of one's own, no merge keys,
/// no tabs, no key twice. Aliases stand for what they name, within limits. A number is not text, and text is not a number;
/// `yes` and `no` are text.
public struct ConfigurationFile: Sendable {
  /// Where it was read from.
  public let path: FilePath

  private let root: Node

  /// Reads a file of at most a mebibyte.
  ///
  /// - Throws: ``ConfigurationError`` if it cannot be read, or is not YAML.
  public init(contentsOf path: FilePath) throws {
    var bytes = [UInt8](repeating: 0, count: YAMLReader.fileLimit + 1)
    do {
      let descriptor = try FileDescriptor.open(path, .readOnly)
      let count = try descriptor.closeAfter {
        try bytes.withUnsafeMutableBytes { buffer in
          var count = 0
          while count < buffer.count {
            let more = try descriptor.read(into: .init(rebasing: buffer[count...]))
            if more == 0 { break }
            count += more
          }
          return count
        }
      }
      bytes.removeSubrange(count...)
    } catch let error as Errno {
      throw ConfigurationError(problems: [
        .init(code: .unreadable, file: path, keyPath: "", message: "cannot be read: \(error)")
      ])
    }
    self.path = path
    root = try YAMLReader.read(bytes, from: path)
  }

  /// Reads text as if it were the contents of the file at `path`.
  ///
  /// - Throws: ``ConfigurationError`` if it is not YAML.
  public init(text: String, path: FilePath) throws {
    self.path = path
    root = try YAMLReader.read(Array(text.utf8), from: path)
  }

  /// Reads what the file says.
  ///
  /// - Parameter body: Reads the keys that it knows; those that it does not read are errors, here and in all mappings within.
  /// - Returns: What `body` makes of it.
  /// - Throws: ``ConfigurationError`` with every unknown key, and with the first other problem of each mapping that could be
  ///   looked into. Errors of `body` of other types become such problems.
  public func decode<Value>(_ body: (Mapping) throws -> Value) throws -> Value {
    let entry = Entry(node: root, file: path)
    var problems: [ConfigurationError.Problem] = []
    do {
      let value = try entry.mapping(body)
      if entry.unknown.problems.isEmpty { return value }
    } catch let error as ConfigurationError {
      problems = error.problems
    }
    problems += entry.unknown.problems
    throw ConfigurationError(
      problems: problems.sorted { a, b in
        guard let a = a.position, let b = b.position else { return false }
        return a < b
      }
    )
  }

  /// What the file says, as JSON with sorted keys and what aliases stand for: the same for files that say the same.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: ".inf",
      negativeInfinity: "-.inf",
      nan: ".nan"
    )
    // All that a node holds can be written.
    return (try? encoder.encode(root)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
