public import TesseraCore

/// How names in a foreign checkpoint become names of a model.
///
///     let mapping = KeyMap(["downsample.0": "shortcut", "fc": "head"])
///
/// Each rule replaces whole path components wherever they occur, but not what another rule put there; longer rules are
/// tried first. A rule that puts nothing takes components away.
public struct KeyMap: Sendable, Hashable {
  private let rules: [(from: [Substring], to: [Substring])]

  /// A map with the given replacements.
  public init(_ replacements: [String: String] = [:]) {
    rules = replacements.filter { !$0.key.isEmpty }
      .map { (name: $0.key, from: components($0.key), to: $0.value) }
      .sorted { (-$0.from.count, $0.name) < (-$1.from.count, $1.name) }
      .map { (from: $0.from, to: $0.to.isEmpty ? [] : components($0.to)) }
  }

  /// Names stay as they are.
  public static var identity: KeyMap { KeyMap() }

  /// The model's name for a checkpoint's.
  public func callAsFunction(_ name: String) -> String {
    var rest = components(name)[...]
    var parts: [Substring] = []
    // From left to right, so that no rule acts on what another put in.
    while let next = rest.first {
      if let rule = rules.first(where: { rest.starts(with: $0.from) }) {
        parts += rule.to
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
  ///   - state: Has a tensor of the right shape for each of the model's names. Real numbers are converted to the model's
  ///     dtype, all others have it.
  ///   - mapping: From the state's names to the model's.
  ///   - ignoringExtra: Whether the state may hold more.
  /// - Throws: ``TensorError`` naming what is missing, extra or of another shape or kind; then nothing has changed.
  public func load(
    _ state: ModelState,
    mapping: KeyMap = .identity,
    ignoringExtra: Bool = false
  ) throws {
    var offered: [String: Tensor] = [:]
    for (name, tensor) in state.entries {
      let name = mapping(name)
      guard offered.updateValue(tensor, forKey: name) == nil else {
        throw TensorError(
          code: .invalidArgument,
          message: "two tensors of the state become '\(name)'"
        )
      }
    }
    let chosen = try slots.compactMap { slot -> (Member, Tensor)? in
      guard let current = slot.tensor else { return nil }
      guard let tensor = offered.removeValue(forKey: slot.name) else {
        throw TensorError(code: .invalidArgument, message: "the state has no '\(slot.name)'")
      }
      guard tensor.shape == current.shape else {
        throw TensorError(
          code: .shapeMismatch,
          message: "'\(slot.name)' has shape \(tensor.shape) where the model has \(current.shape)"
        )
      }
      let (found, wanted) = (tensor.dtype, current.dtype)
      guard found == wanted || (found.isFloatingPoint && wanted.isFloatingPoint) else {
        throw TensorError(
          code: .shapeMismatch,
          message: "'\(slot.name)' is of \(found) where the model has \(wanted)"
        )
      }
      return (slot, tensor)
    }
    guard ignoringExtra || offered.isEmpty else {
      let extra = offered.keys.sorted().joined(separator: "', '")
      throw TensorError(code: .invalidArgument, message: "the model has no '\(extra)'")
    }
    for (slot, tensor) in chosen {
      switch slot.content {
      case .parameter(let parameter): try parameter.assign(tensor)
      case .buffer(let buffer): try buffer.assign(tensor)
      case .module: break
      }
    }
  }
}

/// The parts of a path; empty ones too, so that a name without a rule stays as it is.
private func components(_ path: String) -> [Substring] {
  path.split(separator: ".", omittingEmptySubsequences: false)
}
