public import TesseraCore

/// A node of a model: parameters, buffers and other modules, under names.
///
/// A module is a final class that keeps what it is made of in stored properties. The property's *type* says what it is:
///
///     final class Classifier: Layer {
///       let features: Conv2d
///       let head: Linear
///       init(using generator: Generator) throws {
///         features = try Conv2d(1, 16, kernel: 3, using: generator)
///         head = try Linear(16, 10, using: generator)
///       }
///       func callAsFunction(_ x: Tensor) throws -> Tensor {
///         try head(relu(features(x)).mean(along: 2, 3))
///       }
///     }
///
/// ``Parameter``s are trained and saved, ``Buffer``s are saved, other ``Module``s are walked, as are optionals, arrays and
/// tuples of these. Numbers, strings, functions and ``Generator``s are left alone. A bare `Tensor`, a dictionary of modules
/// (it has no order), and a struct, an enum or another class that holds any of these stop the program at the first walk with
/// a message that names the property.
///
/// The order of declaration is the order of the model's parameters everywhere: in files, on wires, in optimisers.
///
/// Properties are found by reflection, so a type that conforms to `CustomReflectable` has to list its ``members`` itself.
public protocol Module: AnyObject {
  /// The module's own slots, in declaration order. Found by reflection unless the module lists them itself.
  var members: [Member] { get }
}

/// A named slot of a module.
public struct Member {
  /// What a slot holds.
  public enum Content {
    /// Trained and saved.
    case parameter(Parameter)
    /// Saved, not trained.
    case buffer(Buffer)
    /// Walked.
    case module(any Module)
  }

  /// The property's name; for elements of arrays and tuples followed by `.0`, `.1`, ….
  public var name: String
  /// What it holds.
  public var content: Content

  /// Makes a slot.
  public init(_ name: String, _ content: Content) {
    self.name = name
    self.content = content
  }
}

/// A module that maps one tensor to one tensor.
public protocol Layer: Module {
  /// The layer's output.
  ///
  /// - Throws: ``TensorError`` if the input does not fit the layer.
  func callAsFunction(_ x: Tensor) throws -> Tensor
}

extension Module {
  /// The slots, found by reflection.
  public var members: [Member] {
    var found: [Member] = []
    var mirror: Mirror? = Mirror(reflecting: self)
    var levels: [Mirror] = []
    while let level = mirror {
      levels.append(level)
      mirror = level.superclassMirror
    }
    // A superclass was declared first.
    for level in levels.reversed() {
      for child in level.children {
        Reflection.collect(child.value, named: child.label ?? "", of: Self.self, into: &found)
      }
    }
    return found
  }
}

private enum Reflection {
  static func collect(
    _ value: Any,
    named name: String,
    of owner: Any.Type,
    into found: inout [Member]
  ) {
    guard mayHoldSlots(type(of: value)) else { return }
    // A cast of a container to a class would bridge it to Foundation's, element by element.
    if type(of: value) is any ContainerType.Type {
      return collectChildren(of: value, named: name, of: owner, into: &found)
    }
    switch value {
    case let parameter as Parameter: found.append(Member(name, .parameter(parameter)))
    case let buffer as Buffer: found.append(Member(name, .buffer(buffer)))
    case let module as any Module: found.append(Member(name, .module(module)))
    case is Tensor:
      preconditionFailure("\(owner).\(name) is a bare Tensor: declare it as Parameter or Buffer")
    default: collectChildren(of: value, named: name, of: owner, into: &found)
    }
  }

  private static func collectChildren(
    of value: Any,
    named name: String,
    of owner: Any.Type,
    into found: inout [Member]
  ) {
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      for child in mirror.children { collect(child.value, named: name, of: owner, into: &found) }
    case .collection, .tuple:
      for (index, child) in mirror.children.enumerated() {
        collect(child.value, named: "\(name).\(index)", of: owner, into: &found)
      }
    case .dictionary, .set:
      guard !childrenHoldSlots(mirror) else {
        preconditionFailure(
          "\(owner).\(name) holds modules in a collection without order: use an array"
        )
      }
    case .struct, .enum, .class:
      guard !childrenHoldSlots(mirror) else {
        preconditionFailure(
          """
          \(owner).\(name) holds parameters, modules or tensors in a \(type(of: value)): make that a \
          Module, or list the members of \(owner)
          """
        )
      }
    default: break
    }
  }

  /// Whether a value of this type can hold a slot; long lists and large tables of numbers and names need no walk.
  private static func mayHoldSlots(_ type: Any.Type) -> Bool {
    if let container = type as? any ContainerType.Type { return mayHoldSlots(container.content) }
    // What an actor holds is not ours to look at.
    return
      !(type is any Numeric.Type || type is any StringProtocol.Type || type == Bool.self
      || type is any Actor.Type)
  }

  /// Whether a slot lies somewhere in the value.
  private static func holdsSlots(_ value: Any) -> Bool {
    guard mayHoldSlots(type(of: value)) else { return false }
    if !(type(of: value) is any ContainerType.Type),
      value is Parameter || value is Buffer || value is any Module || value is Tensor
    {
      return true
    }
    let mirror = Mirror(reflecting: value)
    return switch mirror.displayStyle {
    case .optional, .collection, .tuple, .dictionary, .set, .struct, .enum:
      childrenHoldSlots(mirror)
    // Objects refer to one another, in circles and far from the model: a property's own object is looked into, to find a
    // forgotten `Module`, and no others.
    default: false
    }
  }

  private static func childrenHoldSlots(_ mirror: Mirror) -> Bool {
    mirror.children.contains { holdsSlots($0.value) }
      || mirror.superclassMirror.map(childrenHoldSlots) ?? false
  }
}

/// A type whose values hold others of one type.
private protocol ContainerType {
  static var content: Any.Type { get }
}

extension Array: ContainerType {
  fileprivate static var content: Any.Type { Element.self }
}
extension Optional: ContainerType {
  fileprivate static var content: Any.Type { Wrapped.self }
}
extension Set: ContainerType {
  fileprivate static var content: Any.Type { Element.self }
}
extension Dictionary: ContainerType {
  // Keys are compared, not kept for what they hold.
  fileprivate static var content: Any.Type { Value.self }
}
