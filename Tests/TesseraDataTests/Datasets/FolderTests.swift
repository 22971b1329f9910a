import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraTesting
import Testing

@Suite struct FolderTests {
  /// Five records in each of the files, whose bytes say where they are.
  private func makeCIFAR10(in folder: TemporaryFolder) throws {
    for (number, name) in ((1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]).enumerated()
    {
      var records: [UInt8] = []
      for record in 0..<5 {
        records.append(UInt8(record + number))
        for position in 0..<3072 { records.append(UInt8(position / 1024 * 50 + record)) }
      }
      _ = try folder.file(name, records)
    }
  }

  @Test func cifar10sBinaryFilesAreRead() throws {
    let folder = try TemporaryFolder()
    try makeCIFAR10(in: folder)
    let train = try CIFAR10.load(.train, from: folder.path)
    #expect(train.images.shape == [25, 3, 32, 32])
    #expect(train.labelList == (0..<5).flatMap { file in (0..<5).map { $0 + file } })
    // Red, green and blue of the fourth image of the second file.
    #expect(
      try train.images.slice(at: 8).reshaped(to: [3, -1]).slice(at: 7, along: 1)
        .array(of: UInt8.self) == [3, 53, 103]
    )
    #expect(try LabelledImages.load(.test, from: folder.path).count == 5)
  }

  @Test func aDamagedFileOfCIFAR10IsNamed() throws {
    let folder = try TemporaryFolder()
    try makeCIFAR10(in: folder)
    _ = try folder.file("data_batch_3.bin", [UInt8](repeating: 1, count: 3000))
    let truncated = #expect(throws: DataError.self) { try CIFAR10.load(.train, from: folder.path) }
    #expect(truncated?.message.contains("data_batch_3.bin") == true)
    _ = try folder.file("data_batch_3.bin", [UInt8](repeating: 77, count: 3073))
    let label = #expect(throws: DataError.self) { try CIFAR10.load(.train, from: folder.path) }
    #expect(label?.message.contains("data_batch_3.bin") == true)
    #expect(label?.message.hasSuffix("the label of image 0 is outside 0..<10") == true)
    try FileManager.default.removeItem(atPath: folder.path.appending("data_batch_3.bin").string)
    let missing = #expect(throws: DataError.self) { try CIFAR10.load(.train, from: folder.path) }
    #expect(missing?.code == .missingFile)
  }

  private func makeImages(
    in folder: TemporaryFolder,
    _ files: [(name: String, shape: [Int], value: Double)]
  ) throws {
    for file in files {
      let path = folder.path.appending(file.name)
      try FileManager.default.createDirectory(
        atPath: path.removingLastComponent().string,
        withIntermediateDirectories: true
      )
      try ImageFile.writePNG(Tensor.full(file.value, shape: file.shape, dtype: .uint8), to: path)
    }
  }

  @Test func aFolderForEachClassIsRead() throws {
    let folder = try TemporaryFolder()
    try makeImages(
      in: folder,
      [
        ("b/2.png", [3, 8, 8], 20), ("b/1.png", [1, 8, 8], 10), ("a/deep/x.PNG", [3, 8, 8], 30),
        (".hidden/1.png", [3, 8, 8], 0), ("a/.hidden.png", [3, 9, 9], 0),
      ]
    )
    _ = try folder.file("b/notes.txt", [1, 2])
    let images = try ImageFolder.load(from: folder.path)
    #expect(images.classNames == ["a", "b"])
    #expect(images.labelList == [0, 1, 1])
    #expect(images.images.shape == [3, 3, 8, 8])
    #expect(
      try images.images.reshaped(to: [3, -1]).slice(at: 5, along: 1).array(of: UInt8.self)
        == [30, 10, 20]
    )
  }

  @Test func imagesOfManySizesAreResized() throws {
    let folder = try TemporaryFolder()
    try makeImages(
      in: folder,
      [("a/1.png", [3, 40, 20], 7), ("b/1.png", [3, 8, 8], 200), ("b/2.png", [3, 3, 90], 255)]
    )
    let images = try ImageFolder.load(from: folder.path, resizedTo: (16, 12))
    #expect(images.images.shape == [3, 3, 16, 12])
    #expect(
      try images.images.to(.float32).mean(along: 1, 2, 3).array(of: Float.self) == [7, 200, 255]
    )
    let error = #expect(throws: DataError.self) { try ImageFolder.load(from: folder.path) }
    #expect(error?.message.contains("b/1.png") == true)
  }

  @Test func foldersWithoutImagesAreNamed() throws {
    let folder = try TemporaryFolder()
    #expect(throws: DataError.self) { try ImageFolder.load(from: folder.path) }
    try makeImages(in: folder, [("a/1.png", [3, 4, 4], 7)])
    try FileManager.default.createDirectory(
      atPath: folder.path.appending("empty").string,
      withIntermediateDirectories: false
    )
    let error = #expect(throws: DataError.self) { try ImageFolder.load(from: folder.path) }
    #expect(error?.message.contains("empty") == true)
    #expect(throws: DataError.self) { try ImageFolder.load(from: "/nowhere") }
    #expect(throws: DataError.self) {
      try ImageFolder.load(from: folder.path, resizedTo: (0, 4))
    }
  }

  @Test func aDamagedImageIsNamed() throws {
    let folder = try TemporaryFolder()
    try makeImages(in: folder, [("a/1.png", [3, 4, 4], 7)])
    _ = try folder.file("a/2.png", [0x89, 0x50, 0x4E, 0x47, 0, 0])
    let error = #expect(throws: DataError.self) { try ImageFolder.load(from: folder.path) }
    #expect(error?.message.contains("a/2.png") == true)
  }

  @Test func trainAndTestFoldersAreADataSet() throws {
    let folder = try TemporaryFolder()
    try makeImages(
      in: folder,
      [
        ("train/a/1.png", [3, 40, 40], 7), ("train/b/1.png", [1, 8, 8], 9),
        ("test/a/1.png", [3, 40, 40], 7), ("test/b/1.png", [1, 8, 8], 9),
      ]
    )
    var reports: [[Int]] = []
    let train = try LabelledImages.load(.train, from: folder.path) { reports.append([$0, $1]) }
    #expect(reports == [[1, 2], [2, 2]])
    #expect(train.images.shape == [2, 3, 32, 32])
    #expect(train.name.hasSuffix(" train"))
    #expect(throws: DataError.self) { try LabelledImages.load(.train, from: "/nowhere") }
  }

  /// Four IDX files in MNIST's layout: three images of 2×2 for training with these labels, and one for testing.
  private func makeIDX(in folder: FilePath, labels: [UInt8], testLabel: UInt8) throws {
    try FileManager.default.createDirectory(
      atPath: folder.string,
      withIntermediateDirectories: true
    )
    func write(_ name: String, _ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(filePath: folder.appending(name).string))
    }
    for (prefix, labels) in [("train", labels), ("t10k", [testLabel])] {
      let count = UInt8(labels.count)
      let pixels = [UInt8](repeating: 7, count: labels.count * 4)
      try write(
        "\(prefix)-images-idx3-ubyte",
        [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2] + pixels
      )
      try write("\(prefix)-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, count] + labels)
    }
  }

  @Test func filesInMNISTsLayoutHaveTheNamesOfTheirFolder() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("letters")
    try makeIDX(in: path, labels: [2, 0, 1], testLabel: 3)
    let train = try LabelledImages.load(.train, from: path)
    #expect(train.name == "letters train")
    #expect(train.images.shape == [3, 1, 2, 2])
    #expect(train.labelList == [2, 0, 1])
    // The test part has one class more, and a model must fit both.
    #expect(train.classNames == ["0", "1", "2", "3"])
    #expect(try LabelledImages.load(.test, from: path).classNames == train.classNames)
  }

  @Test func aFolderOfNoKnownLayoutIsToldWhichThereAre() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: DataError.self) {
      try LabelledImages.load(.train, from: folder.path)
    }
    for layout in ["train-images-idx3-ubyte", "data_batch_1.bin", "train and test"] {
      #expect(error?.message.contains(layout) == true)
    }
    #expect(error?.message.contains("./setup") == false)
  }
}
