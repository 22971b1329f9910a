internal import Foundation
public import SystemPackage
internal import TesseraCore

/// CIFAR-10 in its binary version: 60,000 colour images of 32×32 in ten classes (Krizhevsky, 2009).
///
/// No Debian package has it; users who have the folder `cifar-10-batches-bin` name it.
public enum CIFAR10 {
  /// The ten classes.
  public static let classNames = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// A label, then red, green and blue, row by row.
  private static let recordSize = 1 + 3 * 32 * 32

  static func fileNames(of split: Split) -> [String] {
    split == .train ? (1...5).map { "data_batch_\($0).bin" } : ["test_batch.bin"]
  }

  /// Reads the images for training or for testing.
  ///
  /// - Parameters:
  ///   - split: Which part: five files for training, one for testing.
  ///   - folder: Holds `data_batch_1.bin` and its companions.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged.
  public static func load(_ split: Split, from folder: FilePath) throws -> LabelledImages {
    let files = fileNames(of: split).map { folder.appending($0) }
    let parts = try files.map { try records(in: $0) }
    let all = try concatenate(parts)
    return try LabelledImages(
      name: "CIFAR-10 \(split.rawValue)",
      images: all.slices(in: 1..<recordSize, along: 1).reshaped(to: [-1, 3, 32, 32])
        .laidOut(as: .rowMajor),
      labels: all.slice(at: 0, along: 1),
      classNames: classNames,
      files: files
    )
  }

  /// `[count, 3073]`, `uint8`.
  private static func records(in file: FilePath) throws -> Tensor {
    let mapped: MappedFile
    do {
      mapped = try MappedFile(file)
    } catch {
      throw DataError(code: .missingFile, message: "\(error)")
    }
    return try withExtendedLifetime(mapped) {
      let bytes = mapped.bytes
      guard bytes.count > 0, bytes.count.isMultiple(of: recordSize) else {
        throw DataError(
          code: .malformedFile,
          message: """
            \(file) is not a CIFAR-10 batch: its \(bytes.count) bytes are not a multiple of \
            \(recordSize); truncated or damaged
            """
        )
      }
      let count = bytes.count / recordSize
      for record in 0..<count where bytes[record * recordSize] >= classNames.count {
        throw DataError(
          code: .malformedFile,
          message: "\(file): the label of image \(record) is outside 0..<\(classNames.count)"
        )
      }
      return try Tensor(bytes: bytes, shape: [count, recordSize], dtype: .uint8)
    }
  }
}
