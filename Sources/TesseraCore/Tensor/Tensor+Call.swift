internal import CTessera

extension Tensor {
  /// An argument of ``Tensor/call(_:_:named:)``.
  public enum Argument {
    /// A tensor.
    case tensor(Tensor)
    /// A list of tensors.
    case tensors([Tensor])
    /// A list with gaps, as advanced indexing takes it: only where the schema says `Tensor?[]`.
    case optionalTensors([Tensor?])
    /// A whole number; serves as a real number where one is wanted.
    case int(Int)
    /// A real number.
    case double(Double)
    /// True or false.
    case bool(Bool)
    /// Text.
    case string(String)
    /// A list of whole numbers.
    case ints([Int])
    /// A list of real numbers.
    case doubles([Double])
    /// A list of true and false.
    case bools([Bool])
    /// A dtype.
    case dtype(DType)
    /// A device.
    case device(Device)
    /// A source of random numbers.
    case generator(Generator)
    /// Nothing, where the schema says `?`.
    case none
  }

  /// Calls any operator of LibTorch by its schema name: the low-level door to what has no Swift function.
  ///
  ///     let rolled = try Tensor.call("aten::roll", .tensor(x), .ints([1]), .ints([0])).single()
  ///
  /// - Parameters:
  ///   - name: The schema's name, with the overload after a dot if it has one: `aten::sum.dim_IntList`.
  ///   - arguments: In the schema's order. Arguments left out take the schema's defaults.
  ///   - named: Further arguments by name.
  /// - Returns: The results; lists of tensors are flattened, and numbers become tensors of rank 0.
  /// - Throws: ``TensorError`` if there is no such operator, an argument does not fit its schema, the operator works in
  ///   place or leaves a result undefined, or it fails.
  public static func call(
    _ name: String,
    _ arguments: Argument...,
    named: KeyValuePairs<String, Argument> = [:]
  ) throws -> [Tensor] {
    let storage = ArgumentStorage()
    defer { withExtendedLifetime((arguments, named)) { storage.free() } }
    var values = arguments.map { storage.value(of: $0, named: nil) }
    values += named.map { storage.value(of: $0.value, named: $0.key) }
    var results: [Tensor] = []
    try withUnsafeMutablePointer(to: &results) { results in
      try check(
        tessera_call(
          name,
          values,
          values.count,
          { $1.assumingMemoryBound(to: [Tensor].self).pointee.append(Tensor(owning: $0)) },
          results
        )
      )
    }
    return results
  }

  /// The schema of an operator as LibTorch declares it.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/unsupported`` if there is no such operator.
  public static func schema(of name: String) throws -> String {
    var text = [CChar](repeating: 0, count: 4096)
    try check(tessera_schema(name, &text, text.count))
    return text.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { String(cString: $0) } ?? ""
    }
  }
}

extension [Tensor] {
  /// The only tensor of a list of one, as most operators give.
  ///
  /// - Throws: ``TensorError`` if there are none or several.
  public func single() throws -> Tensor {
    guard count == 1, let first else {
      throw TensorError(code: .invalidArgument, message: "expected one result, got \(count)")
    }
    return first
  }
}

/// The memory that boxed arguments point to, for the length of one call.
private final class ArgumentStorage {
  private var blocks: [UnsafeMutableRawPointer] = []

  func free() {
    for block in blocks { block.deallocate() }
    blocks = []
  }

  private func stored<Element>(_ elements: [Element]) -> UnsafeRawPointer {
    let block = UnsafeMutableBufferPointer<Element>.allocate(capacity: Swift.max(elements.count, 1))
    _ = block.initialize(from: elements)
    // `allocate` of at least one element always has a base address.
    guard let base = block.baseAddress else { preconditionFailure("no memory was allocated") }
    blocks.append(UnsafeMutableRawPointer(base))
    return UnsafeRawPointer(base)
  }

  func value(of argument: Tensor.Argument, named name: String?) -> TesseraValue {
    var value = TesseraValue()
    if let name { value.name = stored(Array(name.utf8CString)).assumingMemoryBound(to: CChar.self) }
    func set(_ kind: TesseraValueKind, _ pointer: UnsafeRawPointer? = nil, _ count: Int = 0) {
      value.kind = kind
      value.pointer = pointer
      value.count = count
    }
    switch argument {
    case .none: set(TESSERA_VALUE_NONE)
    case .tensor(let tensor): set(TESSERA_VALUE_TENSOR, stored([tensor.pointer]), 1)
    case .tensors(let list): set(TESSERA_VALUE_TENSORS, stored(list.map(\.pointer)), list.count)
    case .optionalTensors(let list):
      set(TESSERA_VALUE_TENSORS, stored(list.map { $0?.pointer }), list.count)
    case .int(let number):
      set(TESSERA_VALUE_INTEGER)
      value.integer = number
    case .double(let number):
      set(TESSERA_VALUE_REAL)
      value.real = number
    case .bool(let flag):
      set(TESSERA_VALUE_BOOL)
      value.integer = flag ? 1 : 0
    case .string(let text):
      let bytes = Array(text.utf8)
      set(TESSERA_VALUE_STRING, stored(bytes), bytes.count)
    case .ints(let list): set(TESSERA_VALUE_INTEGERS, stored(list), list.count)
    case .doubles(let list): set(TESSERA_VALUE_REALS, stored(list), list.count)
    case .bools(let list): set(TESSERA_VALUE_BOOLS, stored(list), list.count)
    case .dtype(let dtype):
      set(TESSERA_VALUE_INTEGER)
      value.integer = Int(dtype.code.rawValue)
    case .device(let device):
      set(TESSERA_VALUE_DEVICE)
      value.integer = Int(device.code)
    case .generator(let generator):
      set(TESSERA_VALUE_GENERATOR, UnsafeRawPointer(generator.pointer))
    }
    return value
  }
}
