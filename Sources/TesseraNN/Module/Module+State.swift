public import TesseraCore

/// How names in a foreign checkpoint become names of a model.
///
///     let mapping = KeyMap(["downsample.0": "shortcut", "fc": "head"])
///
/// Each rule replaces whole path components wherever they occur, but not what another rule put there; longer rules are
/// tried first.
public struct KeyMap: Sendable, Hashable {
  private let rules: [(from: [Substring], to: String)]

  /// A map with the given replacements.
  public init(_ replacements: [String: String] = [:]) {
    rules = replacements.map { (from: $0.key.split(separator: "."), to: $0.value) }
      .filter { !$0.from.isEmpty }
      .sorted { ($0.from.count, $1.to) > ($1.from.count, $0.to) }
  }

  /// Names stay as they are.
  public static var identity: KeyMap { KeyMap() }

  /// The model's name for a checkpoint's.
  public func callAsFunction(_ name: String) -> String {
    var rest = name.split(separator: ".")[...]
    var parts: [Substring] = []
    // From left to right, so that no rule acts on what another put in.
    while let next = rest.first {
      if let rule = rules.first(where: { rest.starts(with: $0.from) }) {
        parts += rule.to.split(separator: ".")
        rest.removeFirst(rule.from.count)
      } else {
        parts.append(next)
        rest.removeFirst()
      }
    }
    return parts.joined(separator: ".")
  }

  /// Whether both have the same rules.
  public static func == (a: KeyMap, b: KeyMap) -> Bool {
    a.rules.elementsEqual(b.rules) { $0.from == $1.from && $0.to == $1.to }
  }

  /// Hashes the rules.
  public func hash(into hasher: inout Hasher) {
    for rule in rules {
      hasher.combine(rule.from)
      hasher.combine(rule.to)
    }
  }
}

extension Module {
  /// A copy of all parameters and buffers, in declaration order.
  public func state() throws -> ModelState {
    try ModelState(
      slots.compactMap { slot in
        switch slot.content {
        case .parameter(let parameter): (slot.name, try parameter.value.copied())
        case .buffer(let buffer): (slot.name, try buffer.value.copied())
        case .module: nil
        }
      }
    )
  }

  /// Takes over all parameters and buffers, or none.
  ///
  /// - Parameters:
  ///   - state: Has a tensor of the right shape for each of the model's names.
  ///   - mapping: From the state's names to the model's.
  ///   - ignoringExtra: Whether the state may hold more.
  /// - Throws: ``TensorError`` naming what is missing, extra or of another shape; then nothing has changed.
  public func load(
    _ state: ModelState,
    mapping: KeyMap = .identity,
    ignoringExtra: Bool = false
  ) throws {
    var offered: [String: Tensor] = [:]
    for (name, tensor) in state.entries {
      guard offered.updateValue(tensor, forKey: mapping(name)) == nil else {
        throw TensorError(
          code: .invalidArgument,
          message: "two tensors of the state become '\(mapping(name))'"
        )
      }
    }
    let slots = slots
    for slot in slots {
      guard let tensor = offered.removeValue(forKey: slot.name) else {
        throw TensorError(code: .invalidArgument, message: "the state has no '\(slot.name)'")
      }
      let expected = slot.tensor?.shape ?? []
      guard tensor.shape == expected else {
        throw TensorError(
          code: .shapeMismatch,
          message: "'\(slot.name)' has shape \(tensor.shape) where the model has \(expected)"
        )
      }
    }
    guard ignoringExtra || offered.isEmpty else {
      let extra = offered.keys.sorted().joined(separator: "', '")
      throw TensorError(code: .invalidArgument, message: "the model has no '\(extra)'")
    }
    let byName = Dictionary(
      state.entries.map { (mapping($0.name), $0.tensor) },
      uniquingKeysWith: { first, _ in first }
    )
    for slot in slots {
      guard let tensor = byName[slot.name] else { continue }
      switch slot.content {
      case .parameter(let parameter): try parameter.assign(tensor)
      case .buffer(let buffer): try buffer.assign(tensor)
      case .module: break
      }
    }
  }
}

extension Member {
  fileprivate var tensor: Tensor? {
    switch content {
    case .parameter(let parameter): parameter.value
    case .buffer(let buffer): buffer.value
    case .module: nil
    }
  }
}
