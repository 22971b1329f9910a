import TesseraCore
import TesseraData
import TesseraTesting
import Testing

@Suite struct TransformTests {
  static let transforms: [any SampleTransform] = [
    RandomCrop(padding: 3), RandomHorizontalFlip(),
    Normalize(mean: [0.5, 0.2], deviation: [0.25, 2]), CenterCrop(height: 4, width: 5),
    RandomResizedCrop(height: 6, width: 4),
    RandomAffine(degrees: 30, scale: 0.7...1.3, aspect: 0.8...1.2, shear: 0.2, translation: 0.1),
  ]
  let keys = (0..<16).map { RandomKey(seed: 9)[$0] }

  private func batch() throws -> Tensor {
    try Tensor((0..<16 * 2 * 7 * 5).map { Float($0) }, shape: [16, 2, 7, 5])
  }

  @Test(arguments: transforms.indices)
  func aSampleDependsOnItsKeyAlone(_ index: Int) throws {
    let transform = Self.transforms[index]
    let images = try batch()
    let together = try transform(images, keys: keys)
    for number in [0, 5, 15] {
      let alone = try transform(images.slices(in: number..<number + 1), keys: [keys[number]])
      #expect(try alone.isIdentical(to: together.slices(in: number..<number + 1)))
    }
    #expect(try transform(images, keys: keys).isIdentical(to: together))
  }

  @Test func someImagesAreMirrored() throws {
    let images = try batch()
    let result = try RandomHorizontalFlip()(images, keys: keys)
    var mirrored = 0
    for number in 0..<16 {
      let (before, after) = (try images.slice(at: number), try result.slice(at: number))
      if try after.isIdentical(to: before.flipped(along: 2)) {
        mirrored += 1
      } else {
        #expect(try after.isIdentical(to: before))
      }
    }
    #expect((3...13).contains(mirrored))
    #expect(
      try RandomHorizontalFlip(probability: 1)(images, keys: keys)
        .isIdentical(to: images.flipped(along: 3))
    )
    #expect(try RandomHorizontalFlip(probability: 0)(images, keys: keys).isIdentical(to: images))
  }

  @Test func aCropIsAWindowOfTheImageWithAMargin() throws {
    let images = try batch()
    let result = try RandomCrop(padding: 1)(images, keys: keys)
    let padded = try images.padded([1, 1, 1, 1])
    var offsets: Set<[Int]> = []
    for number in 0..<16 {
      let after = try result.slices(in: number..<number + 1)
      let found = try (0...2).flatMap { top in (0...2).map { [top, $0] } }.filter { offset in
        try padded.slices(in: number..<number + 1)
          .slices(in: offset[0]..<offset[0] + 7, along: 2)
          .slices(in: offset[1]..<offset[1] + 5, along: 3)
          .laidOut(as: .rowMajor).isIdentical(to: after)
      }
      #expect(found.count == 1)
      offsets.formUnion(found)
    }
    #expect(offsets.count > 3)
    #expect(try RandomCrop(padding: 0)(images, keys: keys).isIdentical(to: images))
  }

  @Test func channelsAreNormalised() throws {
    let images = try Tensor([1.0, 3], shape: [1, 2, 1, 1]).to(.float32)
    let result = try Normalize(mean: [0.5, 1], deviation: [0.25, 4])(images, keys: [keys[0]])
    expectClose(try result.flattened(), [2, 0.5])
  }

  @Test func theWindowInTheMiddleIsCut() throws {
    let images = try batch()
    expectClose(
      try CenterCrop(height: 3, width: 2)(images, keys: keys),
      try images.slices(in: 2..<5, along: 2).slices(in: 1..<3, along: 3)
    )
    #expect(try CenterCrop(height: 7, width: 5)(images, keys: keys).isIdentical(to: images))
  }

  @Test func aQuarterOfTheImageIsCutAnywhere() throws {
    let images = try Tensor((0..<16 * 64).map { Float($0) }, shape: [16, 1, 8, 8])
    let crop = RandomResizedCrop(height: 4, width: 4, area: 0.25...0.25, aspect: 1...1)
    let result = try crop(images, keys: keys)
    var corners: Set<[Int]> = []
    for number in 0..<16 {
      let after = try result.slices(in: number..<number + 1).laidOut(as: .rowMajor)
      let found = try (0...4).flatMap { top in (0...4).map { [top, $0] } }.filter { corner in
        let window = try images.slices(in: number..<number + 1)
          .slices(in: corner[0]..<corner[0] + 4, along: 2)
          .slices(in: corner[1]..<corner[1] + 4, along: 3)
        return try abs(window - after).maximum().item() < 1e-3
      }
      #expect(found.count == 1)
      corners.formUnion(found)
    }
    #expect(corners.count > 5)
  }

  @Test func windowsOfManySizesAreResized() throws {
    // Each pixel is its column: a window resized is a straight line between its edges.
    let row = try Tensor((0..<20).map { Float($0) }, shape: [1, 1, 1, 20])
    let images = try row.expanded(to: [16, 3, 20, 20]).laidOut(as: .rowMajor)
    let result = try RandomResizedCrop(height: 5, width: 5)(images, keys: keys)
    #expect(result.shape == [16, 3, 5, 5])
    #expect(try result.maximum().item() <= 19 && result.minimum().item() >= 0)
    let steps = try (0..<16).map { number in
      let line = try result.slice(at: number).slice(at: 0).slice(at: 0).array(of: Float.self)
      #expect(zip(line, line.dropFirst()).allSatisfy { $0 < $1 })
      return line[3] - line[2]
    }
    #expect((steps.max() ?? 0) > 1.5 * (steps.min() ?? 0))
  }

  @Test func imagesTooLongForAnyWindowGiveTheirMiddle() throws {
    let row = try Tensor((0..<100).map { Float($0) }, shape: [1, 1, 1, 100])
    let images = try row.expanded(to: [1, 1, 4, 100])
    let crop = RandomResizedCrop(height: 1, width: 1, area: 1...1)
    // Five columns, 47 to 51.
    expectClose(try crop(images, keys: [keys[0]]).flattened(), [49], absolute: 1e-4)
  }

  @Test func settingsThatCannotBeAreRefused() throws {
    let images = try batch()
    let wrong: [any SampleTransform] = [
      RandomCrop(padding: -1), RandomCrop(padding: Int.max), RandomHorizontalFlip(probability: 2),
      RandomHorizontalFlip(probability: .nan), Normalize(mean: [1], deviation: [1]),
      Normalize(mean: [1, 1], deviation: [1, 0]), Normalize(mean: [1, .nan], deviation: [1, 1]),
      CenterCrop(height: 8, width: 5), CenterCrop(height: 0, width: 1),
      CenterCrop(height: .min, width: .max), RandomResizedCrop(height: 0, width: 4),
      RandomResizedCrop(height: .max, width: 4),
      RandomResizedCrop(height: 4, width: 4, area: 0...1),
      RandomResizedCrop(height: 4, width: 4, area: 0.5...2),
      RandomResizedCrop(height: 4, width: 4, aspect: 0...1),
      RandomResizedCrop(height: 4, width: 4, aspect: 1 ... .infinity),
    ]
    for transform in wrong {
      #expect(throws: DataError.self) { try transform(images, keys: keys) }
    }
    for transform in Self.transforms {
      #expect(throws: DataError.self) { try transform(images, keys: Array(keys.prefix(3))) }
    }
  }

  @Test func anAffineTransformWithoutAmountsChangesNothing() throws {
    let images = try batch()
    expectClose(try RandomAffine()(images, keys: keys), images, relative: 1e-5)
  }

  @Test func imagesAreTurnedScaledAndMoved() throws {
    // A cross of which one arm is longer tells all of these apart.
    var pixels = [Float](repeating: 0, count: 21 * 21)
    for step in -4...8 { pixels[10 * 21 + 10 + step] = 1 }
    for step in -4...4 { pixels[(10 + step) * 21 + 10] = 1 }
    let image = try Tensor(pixels, shape: [1, 1, 21, 21]).repeated(16, 1, 1, 1)
    let larger = try RandomAffine(scale: 1.999...2)(image, keys: keys)
    // Twice as long and as thick.
    let factor = try larger.sum().item() / image.sum().item()
    #expect((3.2...4.3).contains(factor), "\(factor)")
    let turned = try RandomAffine(degrees: 90)(image, keys: keys)
    // Nothing is lost by a turn.
    let kept = try turned.sum().item() / image.sum().item()
    #expect((0.9...1.1).contains(kept), "\(kept)")
    #expect(try abs(turned - image).maximum().item() > 0.5)
    let moved = try RandomAffine(translation: 0.2)(image, keys: keys)
    let places = try (0..<16).map {
      try moved.slice(at: $0).sum(along: 0, 2).argmax(along: 0).itemAsInteger()
    }
    #expect(Set(places).count > 3)
    #expect(places.allSatisfy { (5...15).contains($0) })
  }

  @Test func coloursChangeWithinTheirRangeAndGreyIsGrey() throws {
    let images = try Tensor.uniform([16, 3, 4, 5], using: Generator(seed: 4))
    expectClose(try RandomColor()(images, keys: keys), images, absolute: 2e-3)
    let changed = try RandomColor(brightness: 0.4, contrast: 0.5, saturation: 0.5, hue: 90)(
      images,
      keys: keys
    )
    #expect(try changed.minimum().item() >= 0)
    #expect(try changed.maximum().item() <= 1)
    for number in [0, 9] {
      let alone = try RandomColor(brightness: 0.4, contrast: 0.5, saturation: 0.5, hue: 90)(
        images.slices(in: number..<number + 1),
        keys: [keys[number]]
      )
      expectClose(alone, try changed.slices(in: number..<number + 1), absolute: 1e-6)
    }
    let grey = try RandomColor(greyness: 1)(images, keys: keys)
    let luminance =
      try images.slice(at: 0, along: 1) * 0.299 + images.slice(at: 1, along: 1) * 0.587
      + images.slice(at: 2, along: 1) * 0.114
    for channel in 0..<3 {
      expectClose(try grey.slice(at: channel, along: 1), luminance, absolute: 2e-3)
    }
  }

  @Test func amountsThatCannotBeAreErrors() throws {
    let images = try batch()
    #expect(throws: DataError.self) { try RandomAffine(scale: 0...1)(images, keys: keys) }
    #expect(throws: DataError.self) { try RandomAffine(degrees: .nan)(images, keys: keys) }
    #expect(throws: DataError.self) { try RandomColor()(images, keys: keys) }
    let three = try Tensor.zeros([16, 3, 2, 2])
    #expect(throws: DataError.self) { try RandomColor(greyness: 2)(three, keys: keys) }
    #expect(throws: DataError.self) { try RandomColor(contrast: -1)(three, keys: keys) }
  }
}
