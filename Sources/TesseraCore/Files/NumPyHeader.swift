/// The header of a NumPy `.npy` file (NEP 1): a magic number, a version, and a Python dictionary as text.
struct NumPyHeader {
  /// What the array becomes.
  var dtype: DType
  /// What is stored, where it is none of our dtypes.
  var unsigned: Unsigned?
  var isBigEndian: Bool
  var isColumnMajor: Bool
  var shape: [Int]
  /// Where the elements begin.
  var dataOffset: Int

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let dtypes: [String: DType] = [
    "b1": .bool, "u1": .uint8, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "f2": .float16, "f4": .float32, "f8": .float64, "c8": .complex64, "c16": .complex128,
  ]

  /// The types without a sign that ``DType`` lacks.
  ///
  /// The values of the first two fit the next wider type with a sign.
  enum Unsigned: String {
    case uint16 = "u2"
    case uint32 = "u4"
    case uint64 = "u8"

    var byteCount: Int {
      switch self {
      case .uint16: 2
      case .uint32: 4
      case .uint64: 8
      }
    }
  }

  /// The size of a stored element in bytes.
  var elementSize: Int { unsigned?.byteCount ?? dtype.byteCount }

  /// The size of the numbers whose bytes change order: complex numbers are pairs.
  var swapWidth: Int { dtype.isComplex ? elementSize / 2 : elementSize }

  init(_ file: UnsafeRawBufferPointer, name: String) throws {
    func malformed(_ what: String) -> TensorError {
      TensorError(code: .malformedFile, message: "\(name) is not a NumPy file: \(what)")
    }
    guard file.count >= 10, file.prefix(6).elementsEqual(NumPyHeader.magic) else {
      throw malformed("it does not begin with NumPy's signature")
    }
    let version = file[6]
    guard (1...3).contains(version) else { throw malformed("unknown version \(version)") }
    let lengthBytes = version == 1 ? 2 : 4
    guard file.count >= 8 + lengthBytes else { throw malformed("its header is truncated") }
    let length = (0..<lengthBytes).reduce(0) { $0 | Int(file[8 + $1]) << (8 * $1) }
    dataOffset = 8 + lengthBytes + length
    guard dataOffset <= file.count else { throw malformed("its header is truncated") }

    let text = String(decoding: file[(8 + lengthBytes)..<dataOffset], as: UTF8.self)
    guard let descr = NumPyHeader.field("descr", in: text),
      let order = NumPyHeader.field("fortran_order", in: text),
      let shapeText = NumPyHeader.field("shape", in: text)
    else { throw malformed("its header lacks descr, fortran_order or shape") }
    let code = descr.trimming { $0 == "'" || $0 == "\"" }
    let type = String(code.dropFirst())
    unsigned = Unsigned(rawValue: type)
    guard let prefix = code.first, "<>|=".contains(prefix),
      let dtype = unsigned.map({ $0 == .uint16 ? .int32 : .int64 }) ?? NumPyHeader.dtypes[type]
    else { throw malformed("elements of type \(descr) are not supported") }
    self.dtype = dtype
    isBigEndian = prefix == ">"
    guard order == "True" || order == "False" else {
      throw malformed("fortran_order is neither True nor False")
    }
    isColumnMajor = order == "True"
    shape = try shapeText.trimming { $0 == "(" || $0 == ")" }.split(separator: ",")
      .map { $0.trimming { $0 == " " } }.filter { !$0.isEmpty }
      .map { text in
        guard let size = Int(text), size >= 0 else { throw malformed("its shape has a bad size") }
        return size
      }
  }

  /// The text of a value in `{'key': value, …}`.
  private static func field(_ key: String, in text: String) -> String? {
    guard let start = text.firstRange(of: "'\(key)':")?.upperBound else { return nil }
    let rest = text[start...].drop { $0 == " " }
    let end: String.Index?
    if rest.first == "(" {
      end = rest.firstIndex(of: ")").map { rest.index(after: $0) }
    } else {
      end = rest.firstIndex { $0 == "," || $0 == "}" }
    }
    return end.map { String(rest[..<$0]).trimming { $0 == " " } }
  }

  /// The bytes before the elements, as NumPy writes them.
  static func encoded(dtype: DType, shape: [Int]) throws -> [UInt8] {
    guard let code = dtypes.first(where: { $0.value == dtype })?.key else {
      throw TensorError(code: .unsupported, message: "NumPy files cannot hold \(dtype)")
    }
    let order = dtype.byteCount == 1 ? "|" : "<"
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = "{'descr': '\(order)\(code)', 'fortran_order': False, 'shape': (\(sizes)), }"
    // The elements begin at a multiple of 64.
    let used = 10 + text.utf8.count + 1
    text += String(repeating: " ", count: (64 - used % 64) % 64) + "\n"
    let length = text.utf8.count
    return magic + [
      1, 0, UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8),
    ]
      + Array(text.utf8)
  }
}

extension StringProtocol {
  fileprivate func trimming(_ isDropped: (Character) -> Bool) -> String {
    var rest = self[...]
    while let first = rest.first, isDropped(first) { rest.removeFirst() }
    while let last = rest.last, isDropped(last) { rest.removeLast() }
    return String(rest)
  }
}
