internal import Foundation
public import SystemPackage
internal import TesseraCore

/// Folders in the layout of MNIST: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and their companions `t10k-…`.
///
/// Kuzushiji-MNIST and Fashion-MNIST come like this too. The files may be compressed, with `.gz` after their names.
public enum IDXFolder {
  /// Reads the images for training or for testing.
  ///
  /// - Parameters:
  ///   - split: Which part.
  ///   - folder: Holds the four files.
  ///   - name: What the data set is called; as the folder, if `nil`.
  ///   - classNames: What the classes are called; `0`, `1`, … up to the greatest label of both parts, if `nil`.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged.
  public static func load(
    _ split: Split,
    from folder: FilePath,
    name: String? = nil,
    classNames: [String]? = nil
  ) throws -> LabelledImages {
    let imageFile = try file("images-idx3", of: split, in: folder)
    let labelFile = try file("labels-idx1", of: split, in: folder)
    let images = try IDXFile.read(imageFile)
    guard images.rank == 3, images.dtype == .uint8 else {
      throw DataError(
        code: .malformedFile,
        message: "\(imageFile) holds \(images), not a list of images"
      )
    }
    let labels = try labels(in: labelFile)
    return try LabelledImages(
      name: "\(name ?? folder.lastComponent?.string ?? "images") \(split.rawValue)",
      images: images.unsqueezed(1),
      labels: labels,
      classNames: classNames ?? numbers(upTo: labels, in: folder),
      files: [imageFile, labelFile]
    )
  }

  /// Whether one of the files is in a folder.
  static func isPresent(in folder: FilePath) -> Bool {
    Split.allCases.contains { split in
      ["images-idx3", "labels-idx1"].contains { (try? file($0, of: split, in: folder)) != nil }
    }
  }

  private static func file(
    _ kind: String,
    of split: Split,
    in folder: FilePath
  ) throws -> FilePath {
    let plain = "\(split == .train ? "train" : "t10k")-\(kind)-ubyte"
    let found = ["\(plain).gz", plain].map { folder.appending($0) }
      .first { FileManager.default.isReadableFile(atPath: $0.string) }
    guard let found else {
      throw DataError(
        code: .missingFile,
        message: "\(folder.appending("\(plain).gz")) is missing, and so is the file without .gz"
      )
    }
    return found
  }

  private static func labels(in file: FilePath) throws -> Tensor {
    let labels = try IDXFile.read(file)
    guard labels.rank == 1, labels.dtype == .uint8 else {
      throw DataError(
        code: .malformedFile,
        message: "\(file) holds \(labels), not a list of labels"
      )
    }
    return labels
  }

  /// One name for each class that either part has: a model for one must fit the other.
  private static func numbers(upTo labels: Tensor, in folder: FilePath) throws -> [String] {
    let parts = try Split.allCases.compactMap { split -> Tensor? in
      guard let file = try? file("labels-idx1", of: split, in: folder) else { return nil }
      return try Self.labels(in: file)
    }
    let greatest = try ([labels] + parts).filter { $0.count > 0 }
      .map { try $0.maximum().itemAsInteger() }
      .max()
    return (0..<(greatest ?? -1) + 1).map(String.init)
  }
}
