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
  /// - Throws: ``ConfigurationError`` with all that is wrong with the file's keys and values. Errors of `body` of other types
  ///   become such problems.
  public func decode<Value>(_ body: (Mapping) throws -> Value) throws -> Value {
    let (value, problems) = examine(body)
    guard let value, problems.isEmpty else { throw ConfigurationError(problems: problems) }
    return value
  }

  /// Reads what the file says as far as possible.
  ///
  /// - Parameter body: As of ``decode(_:)``.
  /// - Returns: What `body` makes of the file, with allowed values in the place of wrong ones, and all that is wrong, in the
  ///   order of the file; no value if too much is.
  public func examine<Value>(
    _ body: (Mapping) throws -> Value
  ) -> (value: Value?, problems: [ConfigurationError.Problem]) {
    let entry = Entry(node: root, file: path)
    var problems: [ConfigurationError.Problem] = []
    var value: Value?
    do {
      _ = try entry.mapping { mapping in value = try body(mapping) }
    } catch let error as ConfigurationError {
      problems = error.problems
    } catch {
      // `mapping` gives all errors a place.
      problems = entry.problem(.invalid, "\(error)").problems
    }
    problems += entry.unknown.problems
    return (value, ConfigurationError(problems: problems).inOrder.problems)
  }

  /// A problem with a value that is right for itself, but does not fit others.
  ///
  /// - Parameters:
  ///   - keyPath: The keys that lead to the value, as `filters.site.results[0]`; of keys that are not there, the place of the
  ///     last one that is.
  ///   - message: What is wrong.
  /// - Returns: The problem, with file and line.
  public func problem(at keyPath: String, _ message: String) -> ConfigurationError.Problem {
    let steps = keyPath.split(whereSeparator: { ".[]".contains($0) }).map(String.init)
    return problem(at: steps, shown: keyPath, message)
  }

  /// A problem with what a name of the file's own choice stands for.
  ///
  /// - Parameters:
  ///   - name: The name, whatever characters it has; its place is the problem's.
  ///   - key: The mapping that has it, at the top of the file.
  ///   - message: What is wrong.
  /// - Returns: The problem, with file and line.
  public func problem(
    with name: String,
    in key: String,
    _ message: String
  ) -> ConfigurationError.Problem {
    problem(at: [key, name], shown: key, message)
  }

  private func problem(
    at steps: [String],
    shown keyPath: String,
    _ message: String
  ) -> ConfigurationError.Problem {
    var node = root
    steps: for step in steps {
      switch node.content {
      case .mapping(let members):
        guard let member = members.first(where: { $0.key == step }) else { break steps }
        node = member.value
      case .list(let elements):
        guard let index = Int(step), elements.indices.contains(index) else { break steps }
        node = elements[index]
      case .scalar: break steps
      }
    }
    return .init(
      code: .invalid,
      file: path,
      position: node.position,
      keyPath: keyPath,
      message: message
    )
  }

  /// Whether a key is there, as `workflow.aggregation`.
  public func contains(_ keyPath: String) -> Bool {
    var node = root
    for step in keyPath.split(separator: ".") {
      guard case .mapping(let members) = node.content,
        let member = members.first(where: { $0.key == step })
      else { return false }
      node = member.value
    }
    return true
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
