public import SystemPackage

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
  ///   - folder: Holds `train-images-idx3-ubyte.gz` and its three companions, compressed or not.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged.
  public static func load(
    _ split: Split,
    from folder: FilePath = debianFolder
  ) throws -> LabelledImages {
    do {
      return try IDXFolder.load(split, from: folder, name: "Fashion-MNIST", classNames: classNames)
    } catch let error as DataError where error.code == .missingFile {
      throw DataError(
        code: .missingFile,
        message: """
          \(error); ./setup installs Fashion-MNIST (Debian package dataset-fashion-mnist) under \
          \(debianFolder)
          """
      )
    }
  }
}
