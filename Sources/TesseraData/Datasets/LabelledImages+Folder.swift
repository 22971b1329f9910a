internal import Foundation
public import SystemPackage
internal import TesseraCore

extension LabelledImages {
  /// Reads the data set in a folder, whichever of three kinds it is.
  ///
  /// - IDX files in MNIST's layout: `train-images-idx3-ubyte` and its three companions, with or without `.gz`. The data set
  ///   is called what its folder is, and its classes `0`, `1`, …; Debian's Fashion-MNIST has its names.
  /// - CIFAR-10's binary version: `data_batch_1.bin` and its companions.
  /// - Images: `train/CLASS/*.png` and `test/CLASS/*.png` (or JPEG), which become colour images of 32×32.
  ///
  /// - Parameters:
  ///   - split: Which part.
  ///   - folder: Where the files are.
  ///   - progress: Is called after each image that has a file of its own, with how many are read and how many there are.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged, or saying which three kinds there are.
  public static func load(
    _ split: Split,
    from folder: FilePath,
    progress: (_ read: Int, _ of: Int) -> Void = { _, _ in }
  ) throws -> LabelledImages {
    func exists(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(name).string)
    }
    if Split.allCases.flatMap(CIFAR10.fileNames).contains(where: exists) {
      return try CIFAR10.load(split, from: folder)
    }
    // Where Debian puts it, what is missing can be installed.
    if folder == FashionMNIST.debianFolder { return try FashionMNIST.load(split, from: folder) }
    if IDXFolder.isPresent(in: folder) {
      return try IDXFolder.load(split, from: folder)
    }
    guard exists("train"), exists("test") else {
      throw DataError(
        code: .missingFile,
        message: """
          \(folder) holds no data set: neither IDX files (train-images-idx3-ubyte.gz, …) nor \
          CIFAR-10's (data_batch_1.bin, …) nor the folders train and test with a folder of images \
          for each class
          """
      )
    }
    let images = try ImageFolder.load(
      from: folder.appending(split.rawValue),
      resizedTo: (32, 32),
      progress: progress
    )
    return try LabelledImages(
      name: "\(folder.lastComponent?.string ?? "images") \(split.rawValue)",
      images: images.images,
      labels: images.labels,
      classNames: images.classNames,
      files: images.files
    )
  }
}
