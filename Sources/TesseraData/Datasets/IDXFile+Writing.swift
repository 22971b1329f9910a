public import SystemPackage
public import TesseraCore

extension IDXFile {
  /// Writes a file of bytes.
  ///
  /// - Parameters:
  ///   - elements: Bytes, of 1 to 8 dimensions.
  ///   - path: Where; a file that is there is replaced.
  /// - Throws: ``DataError`` with code ``DataError/Code/invalidArgument`` for other elements; `TensorError` if the file cannot be
  ///   written.
  public static func write(_ elements: Tensor, to path: FilePath) throws {
    let shape = elements.shape
    guard elements.dtype == .uint8, (1...8).contains(shape.count),
      shape.allSatisfy({ $0 <= UInt32.max })
    else {
      throw DataError(
        code: .invalidArgument,
        message: "\(path): an IDX file is written of bytes of 1 to 8 dimensions, not of \(elements)"
      )
    }
    var header: [UInt8] = [0, 0, 0x08, UInt8(shape.count)]
    for size in shape {
      header += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) }
    }
    try AtomicFile.write(to: path) { writer in
      try header.withUnsafeBytes { try writer.write($0) }
      try elements.withBytes { try writer.write($0) }
    }
  }
}

extension IDXFolder {
  /// Writes images with their labels as the two files of one part.
  ///
  /// - Parameters:
  ///   - images: Of one channel.
  ///   - split: Which part.
  ///   - folder: Where; it is there.
  /// - Throws: ``DataError`` with code ``DataError/Code/invalidArgument`` for images of several channels.
  public static func write(
    _ images: LabelledImages,
    as split: Split,
    to folder: FilePath
  ) throws {
    let shape = images.images.shape
    guard shape[1] == 1 else {
      throw DataError(
        code: .invalidArgument,
        message: "\(images.name): images of \(shape[1]) channels have no IDX files"
      )
    }
    let prefix = split == .train ? "train" : "t10k"
    try IDXFile.write(
      images.images.reshaped(to: [shape[0], shape[2], shape[3]]),
      to: folder.appending("\(prefix)-images-idx3-ubyte")
    )
    try IDXFile.write(
      images.labels.to(.uint8),
      to: folder.appending("\(prefix)-labels-idx1-ubyte")
    )
  }
}
