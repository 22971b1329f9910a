internal import Foundation
internal import SystemPackage
internal import TesseraCore

/// The vectors of an index: a head of a page, then rows of `float32` in the machine's byte order, mapped into memory.
///
/// Rows that an entry names are never written: what a kill leaves of a row that was being written belongs to nobody.
final class VectorFile {
  /// Where it is.
  let path: FilePath
  private let dimension: Int
  private let descriptor: FileDescriptor
  private var mapping: Mapping?

  /// The head is a page, so that rows begin where a mapping may.
  static let headByteCount = 4096
  private static let magic = "Tessera vectors 1"

  private var rowByteCount: Int { dimension * MemoryLayout<Float>.size }

  /// Makes the file of a new index, without rows; `index` is what it belongs to, as the database has it.
  static func make(_ path: FilePath, index: String, dimension: Int) throws {
    let head = Self.head(index: index, dimension: dimension)
    do {
      try AtomicFile.write(to: path) { writer in try head.withUnsafeBytes { try writer.write($0) } }
    } catch {
      throw RetrievalError(code: .cannotWrite, message: "\(error)")
    }
  }

  /// Opens the file.
  ///
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/missingFile``, or ``RetrievalError/Code/malformedFile`` if it is another's.
  init(_ path: FilePath, index: String, dimension: Int, isWriting: Bool) throws {
    self.path = path
    self.dimension = dimension
    do {
      descriptor = try FileDescriptor.open(
        path,
        isWriting ? .readWrite : .readOnly,
        options: [.closeOnExec]
      )
    } catch {
      throw RetrievalError(code: .missingFile, message: "cannot open \(path): \(error)")
    }
    var head = [UInt8](repeating: 0, count: Self.headByteCount)
    let count = try? head.withUnsafeMutableBytes {
      try descriptor.read(fromAbsoluteOffset: 0, into: $0)
    }
    guard count == Self.headByteCount, head == Self.head(index: index, dimension: dimension) else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) is damaged, or not of the index that lies beside it"
      )
    }
  }

  deinit { try? descriptor.close() }

  private static func head(index: String, dimension: Int) -> [UInt8] {
    var head = Array("\(magic)\nindex \(index)\ndimension \(dimension)\n".utf8)
    head += Array(repeating: 0, count: max(0, headByteCount - head.count))
    return head
  }

  /// Writes rows; they are on the disk when this returns.
  ///
  /// - Parameters:
  ///   - vectors: One for each row.
  ///   - rows: Where to, in any order.
  ///   - committed: How many rows there are that may be of entries; what a failure leaves behind them is cut off.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/cannotWrite`` if the system refuses.
  func write(_ vectors: [[Float]], to rows: [Int], committed: Int) throws {
    do {
      // Rows beside each other are one write.
      var start = 0
      while start < rows.count {
        var end = start + 1
        while end < rows.count, rows[end] == rows[end - 1] + 1, end - start < 1024 { end += 1 }
        let values = Array(vectors[start..<end].joined())
        _ = try values.withUnsafeBytes {
          try descriptor.writeAll(toAbsoluteOffset: Int64(offset(of: rows[start])), $0)
        }
        start = end
      }
      while fdatasync(descriptor.rawValue) != 0 {
        let error = Errno(rawValue: errno)
        if error != .interrupted { throw error }
      }
    } catch {
      try? descriptor.resize(to: Int64(offset(of: committed)))
      let isFull = error as? Errno == .noSpace || error as? Errno == .diskQuotaExceeded
      throw RetrievalError(
        code: .cannotWrite,
        message: isFull
          ? "cannot write \(path): the disk is full" : "cannot write \(path): \(error)"
      )
    }
  }

  /// The first rows as a tensor over the file's mapping, `[rows, dimension]`.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/malformedFile`` if the file is shorter.
  func tensor(rows: Int) throws -> Tensor {
    let size = try check(rows: rows)
    guard rows > 0 else { return try .zeros([0, dimension]) }
    let mapping = try mapping(of: offset(of: rows), fileByteCount: size)
    return try Tensor(
      memory: mapping.base + Self.headByteCount,
      owner: mapping,
      kind: .sharedFile,
      shape: [rows, dimension],
      dtype: .float32
    )
  }

  /// Refuses a number of rows that the file does not have, before memory is asked for.
  ///
  /// - Returns: The file's size in bytes.
  @discardableResult
  func check(rows: Int) throws -> Int {
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0,
      rows <= (Int(status.st_size) - Self.headByteCount) / rowByteCount
    else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) is cut off: there have to be \(rows) vectors in it"
      )
    }
    return Int(status.st_size)
  }

  private func offset(of row: Int) -> Int { Self.headByteCount + row * rowByteCount }

  private func mapping(of needed: Int, fileByteCount: Int) throws -> Mapping {
    if let mapping, mapping.byteCount >= needed { return mapping }
    // Addresses cost nothing, and a mapping that is made anew has to find all its pages again.
    let byteCount = fileByteCount * 2 + (1 << 26)
    guard let mapping = Mapping(descriptor, byteCount) ?? Mapping(descriptor, needed) else {
      throw RetrievalError(
        code: .missingFile,
        message: "cannot map \(path): \(Errno(rawValue: errno))"
      )
    }
    self.mapping = mapping
    return mapping
  }
}

/// The pages of a file in memory, shared with all that have it open.
//
// @unchecked Sendable: the address never changes, and nobody writes through it.
private final class Mapping: @unchecked Sendable {
  let base: UnsafeRawPointer
  let byteCount: Int

  init?(_ descriptor: FileDescriptor, _ byteCount: Int) {
    let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor.rawValue, 0)
    guard let address, address != MAP_FAILED else { return nil }
    base = UnsafeRawPointer(address)
    self.byteCount = byteCount
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
}
