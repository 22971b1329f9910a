import SystemPackage
import TesseraCore
import TesseraData
import TesseraTesting
import Testing

@Suite struct ImageFileTests {
  static let fixtures = FilePath(#filePath).removingLastComponent().removingLastComponent()
    .appending("Fixtures")
  static let names = [
    "grey.png", "rgb.png", "palette.png", "alpha.png", "mixed.png", "greymixed.png", "bits.png",
    "deep.png", "deeprgb.png",
    "gamma.png", "interlaced.png", "chunks.png", "grey.jpg", "rgb.jpg", "progressive.jpg",
  ]

  /// The largest difference from what `make.py` wrote down under a name.
  private func difference(_ image: Tensor, from name: String) throws -> Double {
    let expected = try NumPyFile.readArchive(Self.fixtures.appending("expected.npz"))
    let wanted = try #require(expected.first { $0.name == name }).tensor
    #expect(image.dtype == .uint8)
    try #require(image.shape == wanted.shape)
    return try abs(image.to(.float32) - wanted.to(.float32)).maximum().item()
  }

  @Test(arguments: names)
  func imagesAreWhatPillowReads(_ name: String) throws {
    let difference = try self.difference(
      ImageFile.read(Self.fixtures.appending(name)),
      from: name
    )
    // Decoders of JPEG may round differently; PNG loses nothing.
    #expect(difference <= (name.hasSuffix(".jpg") ? 2 : 0))
  }

  @Test(arguments: names)
  func greyIsWhatPillowMakesOfColours(_ name: String) throws {
    let difference = try self.difference(
      ImageFile.read(Self.fixtures.appending(name), channels: .grey),
      from: "\(name).grey"
    )
    #expect(difference <= (name.hasSuffix(".jpg") ? 2 : 0))
  }

  @Test(arguments: names)
  func channelsAreAsAsked(_ name: String) throws {
    let file = Self.fixtures.appending(name)
    #expect(try ImageFile.read(file, channels: .rgb).shape == [3, 13, 17])
    #expect(try ImageFile.read(file, channels: .grey).shape == [1, 13, 17])
  }

  @Test(arguments: ["alpha.png", "mixed.png", "greymixed.png"])
  func whatIsTransparentShowsTheBackdrop(_ name: String) throws {
    let file = Self.fixtures.appending(name)
    let black = try ImageFile.read(file, channels: .rgb).to(.float32)
    let white = try ImageFile.read(file, channels: .rgb, over: .white).to(.float32)
    // What the backdrop adds is as much in each channel.
    let added = try white - black
    #expect(try added.minimum().item() >= 0)
    #expect(try added.maximum().item() > 100)
    for channel in 1...2 {
      let apart = try abs(added.slice(at: 0) - added.slice(at: channel)).maximum()
      #expect(try apart.item() <= 1)
    }
    let opaque = Self.fixtures.appending("rgb.png")
    #expect(
      try ImageFile.read(opaque, over: .white).isIdentical(to: ImageFile.read(opaque))
    )
  }

  @Test(arguments: ["rgb.png", "rgb.jpg"])
  func anImageOfMorePixelsThanAskedForIsRefused(_ name: String) throws {
    let file = Self.fixtures.appending(name)
    #expect(try ImageFile.read(file, atMost: 13 * 17).shape == [3, 13, 17])
    #expect(throws: DataError.self) { try ImageFile.read(file, atMost: 13 * 17 - 1) }
  }

  @Test func resizingAverages() throws {
    let image = try Tensor([0, 100, 50, 250] as [UInt8], shape: [1, 2, 2])
    let one = try ImageFile.resized(image, height: 1, width: 1)
    #expect(one.shape == [1, 1, 1])
    #expect(try one.array(of: UInt8.self) == [100])
    let batch = try ImageFile.resized(image.unsqueezed(0), height: 2, width: 2)
    #expect(batch.shape == [1, 1, 2, 2])
    #expect(throws: TensorError.self) { try ImageFile.resized(image, height: 0, width: 2) }
  }

  @Test(arguments: [1, 3])
  func writtenImagesAreReadBack(channels: Int) throws {
    let folder = try TemporaryFolder()
    let pixels = (0..<channels * 35).map { UInt8($0 * 2) }
    let image = try Tensor(pixels, shape: [channels, 5, 7])
    let file = folder.path.appending("image.png")
    try ImageFile.writePNG(image, to: file)
    #expect(try ImageFile.read(file).isIdentical(to: image))
  }

  @Test func whatIsNoImageIsNotWritten() throws {
    let folder = try TemporaryFolder()
    for tensor in [try Tensor.zeros([2, 4, 4], dtype: .uint8), try Tensor.zeros([1, 4, 4])] {
      #expect(throws: DataError.self) {
        try ImageFile.writePNG(tensor, to: folder.path.appending("no.png"))
      }
    }
  }

  @Test(arguments: names)
  func truncatedImagesAreRefusedByName(_ name: String) throws {
    let folder = try TemporaryFolder()
    let bytes = try folder.bytes(of: Self.fixtures.appending(name))
    // PNG ends with a chunk of 12 bytes, JPEG with a marker of 2, that hold nothing of the image.
    let essential = bytes.count - (name.hasSuffix(".png") ? 12 : 2)
    for length in stride(from: 0, to: essential, by: 3) {
      let file = try folder.file("cut", Array(bytes.prefix(length)))
      let error = #expect(throws: DataError.self) { try ImageFile.read(file) }
      #expect(error?.message.contains("cut") == true)
    }
  }

  @Test(arguments: names)
  func mutatedImagesAreReadOrRefused(_ name: String) throws {
    let folder = try TemporaryFolder()
    try expectDamageIsRefused(
      as: DataError.self,
      in: folder.bytes(of: Self.fixtures.appending(name)),
      key: RandomKey(seed: 3)[name]
    ) { _ = try ImageFile.read(folder.file("damaged", $0)) }
  }

  @Test func aHugeClaimIsRefused() throws {
    let folder = try TemporaryFolder()
    var bytes = try folder.bytes(of: Self.fixtures.appending("grey.jpg"))
    // The frame header: its marker, length, precision, then height and width.
    let frame = try #require(
      bytes.indices.dropLast().first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 }
    )
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x80, 0, 0x80, 0])
    let file = try folder.file("huge.jpg", bytes)
    let error = #expect(throws: DataError.self) { try ImageFile.read(file) }
    #expect(error?.message.contains("32768×32768") == true)
  }

  @Test func aSizeThatTheDataCannotFillIsRefused() throws {
    let folder = try TemporaryFolder()
    var png = try folder.bytes(of: Self.fixtures.appending("rgb.png"))
    // Width and height, and the header's checksum over them.
    png.replaceSubrange(16..<24, with: [0, 0, 0x40, 0, 0, 0, 0x40, 0])
    png.replaceSubrange(29..<33, with: littleEndian(crc32(png[12..<29])).reversed())
    var jpeg = try folder.bytes(of: Self.fixtures.appending("progressive.jpg"))
    let frame = try #require(
      jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC2 }
    )
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x40, 0, 0x40, 0])
    for bytes in [png, jpeg] {
      let file = try folder.file("claim", bytes)
      let error = #expect(throws: DataError.self) { try ImageFile.read(file) }
      #expect(error?.message.contains("16384×16384 is more than") == true)
    }
  }

  @Test func aProgressiveFileOfVeryManyScansIsRefused() throws {
    let folder = try TemporaryFolder()
    let bytes = try folder.bytes(of: Self.fixtures.appending("progressive.jpg"))
    // The first scan: of the means of all blocks, with all their bits, it may come any number of times.
    let start = try #require(
      bytes.indices.dropLast().first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
    )
    let length = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
    let next = try #require(
      bytes.indices.dropLast().first {
        $0 > start + length && bytes[$0] == 0xFF && bytes[$0 + 1] != 0
      }
    )
    var scan = Array(bytes[start..<next])
    scan[length + 1] = 0
    let scans = (0..<600).flatMap { _ in scan }
    let end = bytes.count - 2
    let file = try folder.file("scans.jpg", bytes[..<end] + scans + bytes[end...])
    let error = #expect(throws: DataError.self) { try ImageFile.read(file) }
    #expect(error?.message.contains("scans.jpg") == true)
  }

  @Test(arguments: [UInt8(0), 2])
  func imagesForPrintAreRefusedByTheirKind(transform: UInt8) throws {
    let folder = try TemporaryFolder()
    var bytes = try folder.bytes(of: Self.fixtures.appending("cmyk.jpg"))
    // Adobe's segment ends with what the four channels are: CMYK, or YCCK.
    let adobe = try #require(
      bytes.indices.first { bytes[$0...].starts(with: [0xFF, 0xEE, 0, 14]) }
    )
    bytes[adobe + 15] = transform
    let file = try folder.file("print.jpg", bytes)
    for channels in ImageFile.Channels.allCases {
      let error = #expect(throws: DataError.self) { try ImageFile.read(file, channels: channels) }
      #expect(error?.message.contains("CMYK") == true)
    }
  }

  @Test func aMissingFileIsNamed() {
    let error = #expect(throws: DataError.self) { try ImageFile.read("/nowhere/x.png") }
    #expect(error?.code == .missingFile)
    #expect(error?.message.contains("/nowhere/x.png") == true)
  }
}
