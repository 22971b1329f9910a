internal import Foundation
public import SystemPackage

/// Named tensors in a `.safetensors` file, mapped into memory.
///
/// Opening reads the header alone; a tensor's pages are read when it is used. The format is
/// [Hugging Face's](https://huggingface.co/docs/safetensors): Python's `safetensors` reads these files and writes them.
///
///     let file = try SafeTensors(contentsOf: "model.safetensors")
///     let weight = try file.tensor("conv1.weight")
public struct SafeTensors: Sendable {
  /// What the header says of one tensor.
  public struct Entry: Sendable, Hashable {
    /// The type of the elements.
    public var dtype: DType
    /// The size of each dimension.
    public var shape: [Int]
    /// Where the bytes lie, counted from the start of the file.
    var bytes: Range<Int>
  }

  /// The names of the tensors, in the order of their bytes.
  public let names: [String]
  /// What the header says of each tensor.
  public let entries: [String: Entry]
  /// Free text that the writer added.
  public let metadata: [String: String]
  private let file: MappedFile
  private let path: FilePath

  /// Opens a file and checks its header.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/malformedFile`` if the file is truncated or the header is
  ///   not consistent, naming the file and the tensor; with ``TensorError/Code/fileSystem`` if it cannot be read.
  public init(contentsOf path: FilePath) throws {
    try self.init(MappedFile(path), path)
  }

  /// Reads an open file whole and checks its header: for files of someone who is not trusted.
  ///
  /// Whoever can still write to a file that is mapped changes tensors under those who compute with them, and ends the process
  /// by cutting it short. What is copied stays.
  ///
  /// - Parameters:
  ///   - descriptor: The file, open for reading; it stays open.
  ///   - path: What errors call it.
  ///   - largest: How many bytes it may have.
  /// - Throws: ``TensorError`` as ``init(contentsOf:)``, and with code ``TensorError/Code/malformedFile`` if it is larger.
  public init(copying descriptor: FileDescriptor, named path: FilePath, atMost largest: Int) throws
  {
    try self.init(MappedFile(copying: descriptor, path, atMost: largest), path)
  }

  private init(_ file: MappedFile, _ path: FilePath) throws {
    let header = try SafeTensorsHeader(file.bytes, path: path)
    self.file = file
    self.path = path
    metadata = header.metadata
    entries = header.entries
    names = header.entries.sorted {
      ($0.value.bytes.lowerBound, $0.value.bytes.upperBound, $0.key)
        < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound, $1.key)
    }.map(\.key)
  }

  /// One tensor, over the file's mapped memory where its type allows.
  ///
  /// - Throws: ``TensorError`` if the file has no tensor of that name.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else {
      throw TensorError(code: .invalidArgument, message: "\(path) has no tensor named '\(name)'")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.bytes])
    guard let base = bytes.baseAddress, !bytes.isEmpty, entry.dtype != .bool,
      Int(bitPattern: base) % entry.dtype.byteCount == 0
    else {
      // Empty, not aligned for its type, or truth values, which a copy makes 0 or 1: nothing to share.
      return try Tensor(bytes: bytes, shape: entry.shape, dtype: entry.dtype)
    }
    return try Tensor(
      memory: base,
      owner: file,
      kind: file.kind,
      shape: entry.shape,
      dtype: entry.dtype
    )
  }

  /// Writes tensors to a file, all of it or nothing.
  ///
  /// The order on disk is by the size of the elements, so that each tensor is aligned, and within one size as given. The
  /// same tensors give the same bytes.
  ///
  /// - Parameters:
  ///   - tensors: With names that differ.
  ///   - metadata: Free text for readers.
  ///   - path: An earlier file of that name is replaced.
  ///   - isDurable: Whether the bytes are on the disk when this returns.
  /// - Throws: ``TensorError`` if two names are equal, or the system refuses to write.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)],
    metadata: [String: String] = [:],
    to path: FilePath,
    isDurable: Bool = true
  ) throws {
    // A stable order: `sorted` alone does not promise one.
    let ordered = tensors.enumerated().sorted { a, b in
      (-a.element.tensor.dtype.byteCount, a.offset) < (-b.element.tensor.dtype.byteCount, b.offset)
    }.map(\.element)
    let header = try SafeTensorsHeader.encoded(ordered, metadata: metadata)
    try AtomicFile.write(to: path, isDurable: isDurable) { writer in
      try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try writer.write($0) }
      try header.withUnsafeBytes { try writer.write($0) }
      for (_, tensor) in ordered {
        try tensor.withBytes { try writer.write($0) }
      }
    }
  }
}
