internal import Foundation
internal import SystemPackage

/// The header of a safetensors file: eight bytes of length, then JSON.
struct SafeTensorsHeader {
  var entries: [String: SafeTensors.Entry] = [:]
  var metadata: [String: String] = [:]

  private static let dtypes: [String: DType] = [
    "U8": .uint8, "I8": .int8, "I16": .int16, "I32": .int32, "I64": .int64, "F16": .float16,
    "BF16": .bfloat16, "F32": .float32, "F64": .float64, "C64": .complex64, "BOOL": .bool,
  ]

  /// The limit that the reference implementation sets.
  private static let largestHeader = 100_000_000

  private struct Description: Codable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
  }

  init(_ file: UnsafeRawBufferPointer, path: FilePath) throws {
    func malformed(_ what: String) -> TensorError {
      TensorError(code: .malformedFile, message: "\(path) is not a safetensors file: \(what)")
    }
    guard file.count >= 8 else {
      throw malformed("it has \(file.count) bytes, and the length of its header alone needs 8")
    }
    let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard length <= SafeTensorsHeader.largestHeader, Int(length) <= file.count - 8 else {
      throw malformed("a header of \(length) bytes does not fit a file of \(file.count)")
    }
    let start = 8 + Int(length)
    let json = Data(file[8..<start])
    let parsed: [String: HeaderValue]
    do {
      parsed = try JSONDecoder().decode([String: HeaderValue].self, from: json)
    } catch {
      throw malformed("its header is not JSON of the expected form")
    }
    for (name, value) in parsed {
      switch value {
      case .metadata(let text):
        guard name == "__metadata__" else { throw malformed("tensor '\(name)' has no dtype") }
        metadata = text
      case .tensor(let description):
        guard let dtype = SafeTensorsHeader.dtypes[description.dtype] else {
          throw malformed("tensor '\(name)' has the unknown dtype '\(description.dtype)'")
        }
        let offsets = description.data_offsets
        guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1],
          offsets[1] <= file.count - start
        else {
          throw malformed("tensor '\(name)' lies at \(offsets), outside the file: truncated?")
        }
        let expected = try? Tensor.byteCount(of: description.shape, dtype: dtype)
        guard expected == offsets[1] - offsets[0] else {
          throw malformed(
            """
            tensor '\(name)' has \(offsets[1] - offsets[0]) bytes, which is not the size of \
            \(description.shape) \(dtype)
            """
          )
        }
        entries[name] = SafeTensors.Entry(
          dtype: dtype,
          shape: description.shape,
          bytes: start + offsets[0]..<start + offsets[1]
        )
      }
    }
    var end = start
    for (name, entry) in entries.sorted(by: {
      ($0.value.bytes.lowerBound, $0.value.bytes.upperBound)
        < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound)
    }) {
      guard entry.bytes.lowerBound == end else {
        throw malformed("tensor '\(name)' does not follow the one before it without a gap")
      }
      end = entry.bytes.upperBound
    }
    guard end == file.count else {
      throw malformed("\(file.count - end) bytes at its end belong to no tensor")
    }
  }

  private enum HeaderValue: Decodable {
    case tensor(Description)
    case metadata([String: String])

    init(from decoder: any Decoder) throws {
      if let description = try? Description(from: decoder) {
        self = .tensor(description)
      } else {
        self = .metadata(try [String: String](from: decoder))
      }
    }
  }

  /// The header's JSON, padded with spaces so that the data after it is aligned.
  static func encoded(
    _ tensors: [(name: String, tensor: Tensor)],
    metadata: [String: String]
  ) throws -> [UInt8] {
    var offset = 0
    var names: Set<String> = ["__metadata__"]
    var fields: [String] = []
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func text(_ value: some Encodable) throws -> String {
      String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    if !metadata.isEmpty { fields.append(try "\"__metadata__\":" + text(metadata)) }
    for (name, tensor) in tensors {
      guard names.insert(name).inserted else {
        throw TensorError(code: .invalidArgument, message: "two tensors are named '\(name)'")
      }
      let dtype = tensor.dtype
      guard let code = dtypes.first(where: { $0.value == dtype })?.key else {
        throw TensorError(
          code: .unsupported,
          message: "safetensors files cannot hold \(dtype) ('\(name)')"
        )
      }
      let bytes = tensor.count * dtype.byteCount
      let description = Description(
        dtype: code,
        shape: tensor.shape,
        data_offsets: [offset, offset + bytes]
      )
      fields.append(try text(name) + ":" + text(description))
      offset += bytes
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    return header
  }
}
