internal import Foundation
public import SystemPackage
internal import TesseraCore

/// Which part of a data set.
public enum Split: String, Hashable, Sendable, CaseIterable {
  /// For training.
  case train
  /// For measuring what was trained.
  case test
}

/// Fashion-MNIST: 70,000 grey images of 28×28 in ten classes of clothing (Xiao, Rasul and Vollgraf, 2017).
public enum FashionMNIST {
  /// The ten classes.
  public static let classNames = [
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
  ]

  /// Where Debian's package `dataset-fashion-mnist` puts the files.
  public static let debianFolder: FilePath = "/usr/share/datasets/fashion-mnist"

  /// Reads 60,000 images for training or 10,000 for testing.
  ///
  /// - Parameters:
  ///   - split: Which part.
  ///   - folder: Holds `train-images-idx3-ubyte.gz` and its three companions.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged.
  public static func load(
    _ split: Split,
    from folder: FilePath = debianFolder
  ) throws -> LabelledImages {
    let prefix = split == .train ? "train" : "t10k"
    let imageFile = folder.appending("\(prefix)-images-idx3-ubyte.gz")
    let labelFile = folder.appending("\(prefix)-labels-idx1-ubyte.gz")
    for file in [imageFile, labelFile]
    where !FileManager.default.isReadableFile(atPath: file.string) {
      throw DataError(
        code: .missingFile,
        message: "\(file) is missing: ./setup installs it (Debian package dataset-fashion-mnist)"
      )
    }
    let images = try IDXFile.read(imageFile)
    guard images.rank == 3, images.dtype == .uint8 else {
      throw DataError(
        code: .malformedFile,
        message: "\(imageFile) holds \(images), not a list of images"
      )
    }
    return try LabelledImages(
      name: "Fashion-MNIST \(split.rawValue)",
      images: images.unsqueezed(1),
      labels: IDXFile.read(labelFile),
      classNames: classNames,
      files: [imageFile, labelFile]
    )
  }
}
