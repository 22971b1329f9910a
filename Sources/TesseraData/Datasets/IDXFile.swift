internal import CZlib
internal import Foundation
public import SystemPackage
public import TesseraCore

/// Reading of IDX files, the format of MNIST and its relatives.
///
/// Two zero bytes, a byte for the type of the elements, one for the number of dimensions, a big-endian 32-bit size for each,
/// then the elements, big-endian.
public enum IDXFile {
  private static let dtypes: [UInt8: DType] = [
    0x08: .uint8, 0x09: .int8, 0x0B: .int16, 0x0C: .int32, 0x0D: .float32, 0x0E: .float64,
  ]

  /// Reads a file, compressed by gzip or not, whatever its name says.
  ///
  /// - Throws: ``DataError`` with code ``DataError/Code/missingFile`` or ``DataError/Code/malformedFile``, naming the file.
  public static func read(_ path: FilePath) throws -> Tensor {
    func malformed(_ what: String) -> DataError {
      DataError(code: .malformedFile, message: "\(path) is not an IDX file: \(what)")
    }
    // zlib reads plain files as they are.
    guard let file = gzopen(path.string, "rb") else {
      throw DataError(
        code: .missingFile,
        message: "cannot read \(path): \(String(cString: strerror(errno)))"
      )
    }
    defer { gzclose(file) }
    func bytes(_ count: Int) throws -> [UInt8] {
      try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        // gzread counts in 32 bits.
        while initialized < count {
          let chunk = UInt32(min(count - initialized, 1 << 30))
          let read = gzread(file, buffer.baseAddress.map { $0 + initialized }, chunk)
          guard read > 0 else {
            throw malformed("it ends after \(initialized) of \(count) bytes; truncated or damaged")
          }
          initialized += Int(read)
        }
      }
    }
    let magic = try bytes(4)
    guard magic[0] == 0, magic[1] == 0, let dtype = dtypes[magic[2]] else {
      throw malformed("it does not begin with an IDX signature")
    }
    let rank = Int(magic[3])
    guard (1...8).contains(rank) else { throw malformed("it claims \(rank) dimensions") }
    let sizes = try bytes(4 * rank)
    let shape = (0..<rank).map { axis in
      sizes[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    var count = dtype.byteCount
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw malformed("its sizes \(shape) overflow") }
      count = product
    }
    // Deflate expands by at most 1,032: what claims more is refused before memory is asked for.
    guard count / 1100 <= fileSize(path) else {
      throw malformed("its sizes \(shape) are more than the file can hold")
    }
    var elements = count > 0 ? try bytes(count) : []
    // zlib checks its sum of the contents when it is asked for more than they are.
    var (extra, status) = (UInt8(0), Z_OK)
    let following = gzread(file, &extra, 1)
    _ = gzerror(file, &status)
    guard following <= 0 else { throw malformed("bytes follow its last element") }
    guard following == 0, status == Z_OK else {
      throw malformed("its compressed data is truncated or damaged")
    }
    if dtype.byteCount > 1 {
      elements.withUnsafeMutableBytes { buffer in
        for start in stride(from: 0, to: buffer.count, by: dtype.byteCount) {
          buffer[start..<start + dtype.byteCount].reverse()
        }
      }
    }
    return try elements.withUnsafeBytes { try Tensor(bytes: $0, shape: shape, dtype: dtype) }
  }

  private static func fileSize(_ path: FilePath) -> Int {
    var status = stat()
    return stat(path.string, &status) == 0 ? Int(status.st_size) : 0
  }
}
