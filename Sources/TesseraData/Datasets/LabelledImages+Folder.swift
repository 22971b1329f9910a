internal import Foundation
public import SystemPackage
internal import TesseraCore

extension LabelledImages {
  /// Reads the data set in a folder, whichever of three kinds it is.
  ///
  /// - IDX files as of MNIST and Fashion-MNIST: `train-images-idx3-ubyte.gz` and its three companions.
  /// - CIFAR-10's binary version: `data_batch_1.bin` and its companions.
  /// - Images: `train/CLASS/*.png` and `test/CLASS/*.png` (or JPEG), which become colour images of 32×32.
  ///
  /// - Parameters:
  ///   - split: Which part.
  ///   - folder: Where the files are.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the file that is missing or damaged.
  public static func load(_ split: Split, from folder: FilePath) throws -> LabelledImages {
    func exists(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(name).string)
    }
    if Split.allCases.flatMap(CIFAR10.fileNames).contains(where: exists) {
      return try CIFAR10.load(split, from: folder)
    }
    if exists("train"), exists("test") {
      let images = try ImageFolder.load(
        from: folder.appending(split.rawValue),
        resizedTo: (32, 32)
      )
      return try LabelledImages(
        name: "\(folder.lastComponent?.string ?? "images") \(split.rawValue)",
        images: images.images,
        labels: images.labels,
        classNames: images.classNames,
        files: images.files
      )
    }
    return try FashionMNIST.load(split, from: folder)
  }
}
