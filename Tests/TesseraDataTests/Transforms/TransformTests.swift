import TesseraCore
import TesseraData
import TesseraTesting
import Testing

@Suite struct TransformTests {
  static let transforms: [any SampleTransform] = [
    RandomCrop(padding: 3), RandomHorizontalFlip(),
    Normalize(mean: [0.5, 0.2], deviation: [0.25, 2]),
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

  @Test func settingsThatCannotBeAreRefused() throws {
    let images = try batch()
    let wrong: [any SampleTransform] = [
      RandomCrop(padding: -1), RandomCrop(padding: Int.max), RandomHorizontalFlip(probability: 2),
      RandomHorizontalFlip(probability: .nan), Normalize(mean: [1], deviation: [1]),
      Normalize(mean: [1, 1], deviation: [1, 0]), Normalize(mean: [1, .nan], deviation: [1, 1]),
    ]
    for transform in wrong {
      #expect(throws: DataError.self) { try transform(images, keys: keys) }
    }
    for transform in Self.transforms {
      #expect(throws: DataError.self) { try transform(images, keys: Array(keys.prefix(3))) }
    }
  }
}
