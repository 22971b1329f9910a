internal import SystemPackage

/// A value with its place, as a ``Schema`` reads it.
struct Entry {
  /// Keys that no one has read, in all of the file.
  final class Unknown {
    var problems: [ConfigurationError.Problem] = []
  }

  let node: Node
  let file: FilePath
  var keyPath = ""
  var unknown = Unknown()

  /// The element of a list.
  func element(_ index: Int, _ node: Node) -> Entry {
    Entry(node: node, file: file, keyPath: "\(keyPath)[\(index)]", unknown: unknown)
  }

  /// The member of a mapping.
  func member(_ key: String, _ node: Node) -> Entry {
    let path = keyPath.isEmpty ? key : "\(keyPath).\(key)"
    return Entry(node: node, file: file, keyPath: path, unknown: unknown)
  }

  /// A problem with the value, or at another place that has to do with it.
  func problem(
    _ code: ConfigurationError.Code,
    _ message: String,
    at position: ConfigurationError.Position? = nil
  ) -> ConfigurationError {
    ConfigurationError(problems: [
      .init(
        code: code,
        file: file,
        position: position ?? node.position,
        keyPath: keyPath,
        message: message
      )
    ])
  }

  /// The problem that the value is not of the type that is needed.
  func mustBe(_ type: String) -> ConfigurationError {
    guard node.typeName != "empty" else {
      return problem(.wrongType, "is empty; give it a value or leave the key out")
    }
    return problem(.wrongType, "must be \(type), not \(node.typeName)")
  }

  /// The value as a mapping, all of whose keys `body` must read.
  func mapping<Value>(_ body: (Mapping) throws -> Value) throws -> Value {
    guard case .mapping(let members) = node.content else { throw mustBe("a mapping") }
    return try read(Mapping(self, members), body)
  }

  /// What `body` makes of a mapping, all of whose keys it must read.
  func read<Value>(_ mapping: Mapping, _ body: (Mapping) throws -> Value) throws -> Value {
    let value: Value
    do {
      value = try locating { try body(mapping) }
    } catch let error as ConfigurationError {
      // What does not fit a value that only stood in for a wrong one is no mistake of the file.
      throw mapping.problems.isEmpty ? error : ConfigurationError(problems: mapping.problems)
    } catch is Mapping.Halt {
      throw ConfigurationError(problems: mapping.problems)
    }
    unknown.problems += mapping.unknownKeys
    guard mapping.problems.isEmpty else { throw ConfigurationError(problems: mapping.problems) }
    return value
  }

  /// Gives errors of others this place.
  func locating<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as ConfigurationError {
      throw error
    } catch let halt as Mapping.Halt {
      throw halt
    } catch {
      throw problem(.invalid, "\(error)")
    }
  }
}
