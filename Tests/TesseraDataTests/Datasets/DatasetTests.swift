import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraTesting
import Testing

@Suite struct DatasetTests {
  /// Two images of 2×3.
  static let idx: [UInt8] =
    [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3] + (0..<12).map { UInt8($0) }

  @Test func fashionMNISTHas70000ImagesInTenClassesOfOneSize() throws {
    let train = try FashionMNIST.load(.train)
    let test = try FashionMNIST.load(.test)
    #expect(train.images.shape == [60_000, 1, 28, 28])
    #expect(test.images.shape == [10_000, 1, 28, 28])
    #expect(train.labelCounts(of: Array(0..<train.count)) == [Int](repeating: 6000, count: 10))
    #expect(test.labelCounts(of: Array(0..<test.count)) == [Int](repeating: 1000, count: 10))
    #expect(train.labelList.prefix(5) == [9, 0, 0, 3, 0])
  }

  @Test func anIDXFileOfBytesIsRead() throws {
    let folder = try TemporaryFolder()
    let tensor = try IDXFile.read(folder.file("images", Self.idx))
    #expect(tensor.shape == [2, 2, 3])
    #expect(try tensor.array(of: UInt8.self) == (0..<12).map { UInt8($0) })
  }

  @Test func numbersOfAnIDXFileAreBigEndian() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file(
      "ints",
      [0, 0, 0x0C, 1, 0, 0, 0, 2, 0, 0, 1, 2, 0xFF, 0xFF, 0xFF, 0xFE]
    )
    #expect(try IDXFile.read(file).array(of: Int32.self) == [258, -2])
  }

  @Test func aTruncatedIDXFileIsRefusedByNameAtAnyLength() throws {
    let folder = try TemporaryFolder()
    for length in 0..<Self.idx.count {
      let file = try folder.file("cut", Array(Self.idx.prefix(length)))
      let error = #expect(throws: DataError.self) { try IDXFile.read(file) }
      #expect(error?.message.contains("cut") == true)
    }
  }

  /// gzip's header, one stored block of deflate, the checksum and the length.
  private func compressed(_ bytes: [UInt8]) -> [UInt8] {
    let length = [UInt8(bytes.count), 0]
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1] + length + length.map(~) + bytes
      + littleEndian(crc32(bytes)) + littleEndian(UInt32(bytes.count))
  }

  @Test func aCompressedIDXFileIsReadWhateverItsName() throws {
    let folder = try TemporaryFolder()
    let tensor = try IDXFile.read(folder.file("images", compressed(Self.idx)))
    #expect(try tensor.array(of: UInt8.self) == (0..<12).map { UInt8($0) })
  }

  @Test func aCompressedIDXFileThatWasCutIsRefusedAtAnyLength() throws {
    let folder = try TemporaryFolder()
    let whole = compressed(Self.idx)
    for length in 0..<whole.count {
      let file = try folder.file("cut.gz", Array(whole.prefix(length)))
      let error = #expect(throws: DataError.self, "\(length) bytes") { try IDXFile.read(file) }
      #expect(error?.message.contains("cut.gz") == true)
    }
  }

  @Test func aChangedByteOfACompressedIDXFileIsRefusedAsDamage() throws {
    let folder = try TemporaryFolder()
    let whole = compressed(Self.idx)
    // The elements, their checksum and their length.
    for position in whole.count - 20..<whole.count {
      var bytes = whole
      bytes[position] ^= 0x10
      let file = try folder.file("changed.gz", bytes)
      let error = #expect(throws: DataError.self, "byte \(position)") { try IDXFile.read(file) }
      #expect(error?.message.contains("damaged") == true)
    }
  }

  @Test func bytesAfterTheLastElementAreRefused() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("long", Self.idx + [0])
    #expect(throws: DataError.self) { try IDXFile.read(file) }
  }

  @Test func noChangedByteOfTheHeaderCrashes() throws {
    let folder = try TemporaryFolder()
    for position in 0..<16 {
      for value in [UInt8(0), 1, 0x7F, 0x80, 0xFF] {
        var bytes = Self.idx
        bytes[position] = value
        let file = try folder.file("changed", bytes)
        do {
          let tensor = try IDXFile.read(file)
          #expect(tensor.count <= 12)
        } catch is DataError {}
      }
    }
  }

  @Test func aMissingDataFileIsNamedWithWhatInstallsIt() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: DataError.self) { try FashionMNIST.load(.train, from: folder.path) }
    #expect(error?.message.contains("train-images-idx3-ubyte.gz") == true)
    #expect(error?.message.contains("./setup") == true)
  }

  @Test func onlyFashionMNISTIsSaidToBeInstalledBySetup() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 0])
    let error = #expect(throws: DataError.self) { try IDXFolder.load(.train, from: folder.path) }
    #expect(error?.code == .missingFile)
    #expect(error?.message.contains("./setup") == false)
  }

  @Test func labelsThatDoNotFitTheImagesAreRefused() throws {
    let images = try Tensor.zeros([3, 1, 2, 2], dtype: .uint8)
    for labels in [try Tensor([0, 1]), try Tensor([0, 1, 2]), try Tensor([0, -1, 1])] {
      #expect(throws: DataError.self) {
        try LabelledImages(name: "toy", images: images, labels: labels, classNames: ["a", "b"])
      }
    }
  }

  @Test func batchesCoverEveryExampleOnceInAKeyedOrder() throws {
    let images = try Tensor(Array(0..<10).map { UInt8($0) }, shape: [10, 1, 1, 1])
    let labels = try Tensor(Array(0..<10).map { $0 % 2 })
    let data = try LabelledImages(
      name: "toy",
      images: images,
      labels: labels,
      classNames: ["even", "odd"]
    )
    func order(_ key: RandomKey?) throws -> [Int] {
      let plan = try data.batches(of: 4, shuffledBy: key)
      #expect(plan.count == 3)
      return try plan.numbers.flatMap { number in
        let batch = try plan.batch(number)
        let values = try (batch.images * 255.0).rounded().flattened().array(of: Float.self)
        #expect(values.map { Int($0) } == batch.indices)
        #expect(try batch.labels.array(of: Int.self) == batch.indices.map { $0 % 2 })
        return batch.indices
      }
    }
    #expect(try order(nil) == Array(0..<10))
    let shuffled = try order(RandomKey(seed: 1))
    #expect(shuffled.sorted() == Array(0..<10))
    #expect(try order(RandomKey(seed: 1)) == shuffled)
    #expect(try order(RandomKey(seed: 2)) != shuffled)
    #expect(try data.batches(of: .max).batch(0).indices == Array(0..<10))
    #expect(try data.batches(of: .max, droppingLast: true).count == 0)
    #expect(try data.batches(of: 5).count == 2)
    #expect(throws: DataError.self) { try data.batches(of: 0) }
    #expect(throws: DataError.self) { try data.batches(of: 2, indices: [10]) }
    #expect(throws: DataError.self) { try data.batches(of: 2).batch(5) }
  }
}
