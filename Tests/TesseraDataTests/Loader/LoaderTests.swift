import Synchronization
import TesseraCore
import TesseraData
import Testing

/// Fails for one image, and counts how often it is asked.
private final class Failing: SampleTransform {
  struct Refusal: Error {}
  let asked = Atomic(0)
  let key: RandomKey?
  init(at key: RandomKey? = nil) { self.key = key }

  func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    asked.add(1, ordering: .relaxed)
    if let key, keys.contains(key) { throw Refusal() }
    return batch
  }
}

@Suite struct LoaderTests {
  let key = RandomKey(seed: 2)

  private func images(_ count: Int = 100) throws -> LabelledImages {
    let pixels = (0..<count * 16).map { UInt8(truncatingIfNeeded: $0 * 31) }
    return try LabelledImages(
      name: "some",
      images: Tensor(pixels, shape: [count, 1, 4, 4]),
      labels: Tensor((0..<count).map { $0 % 3 }),
      classNames: ["a", "b", "c"]
    )
  }

  @Test(arguments: [1, 2, 4])
  func prefetchedBatchesAreThoseOfThePlan(workers: Int) async throws {
    let plan = try images().batches(
      of: 8,
      shuffledBy: key,
      transforms: [RandomCrop(padding: 1), RandomHorizontalFlip()]
    )
    var number = 0
    for try await batch in plan.prefetched(ahead: 3, workers: workers) {
      let expected = try plan.batch(number)
      #expect(batch.indices == expected.indices)
      #expect(try batch.images.isIdentical(to: expected.images))
      #expect(try batch.labels.isIdentical(to: expected.labels))
      number += 1
    }
    #expect(number == 13)
  }

  @Test func anErrorComesInItsPlaceAndEndsTheBatches() async throws {
    // The key of a sample's transforms derives from its position in the data set.
    let plan = try images().batches(
      of: 10,
      transforms: [Failing(at: RandomKey(seed: 0)["sample"][45])]
    )
    let iterator = plan.prefetched(ahead: 4, workers: 2).makeAsyncIterator()
    for _ in 0..<4 { #expect(try await iterator.next() != nil) }
    await #expect(throws: Failing.Refusal.self) { try await iterator.next() }
    #expect(try await iterator.next() == nil)
  }

  @Test func cancellationEndsTheLoop() async throws {
    let plan = try images(1000).batches(of: 1)
    let loop = Task {
      var seen = 0
      for try await _ in plan.prefetched(ahead: 2, workers: 2) {
        seen += 1
        withUnsafeCurrentTask { $0?.cancel() }
      }
      return seen
    }
    await #expect(throws: CancellationError.self) { try await loop.value }
  }

  @Test(.timeLimit(.minutes(20))) func cancellationEndsALoopWhoseBatchesAreReady() async throws {
    let counter = Failing()
    let plan = try images(3).batches(of: 1, transforms: [counter])
    let loop = Task {
      let iterator = plan.prefetched(ahead: 3).makeAsyncIterator()
      _ = try await iterator.next()
      // One worker makes them in turn: once the third is begun, the second is ready.
      while counter.asked.load(ordering: .relaxed) < 3 {
        try Task.checkCancellation()
        await Task.yield()
      }
      withUnsafeCurrentTask { $0?.cancel() }
      return try await iterator.next()?.indices
    }
    await #expect(throws: CancellationError.self) { try await loop.value }
  }

  @Test(.timeLimit(.minutes(20))) func theNextBatchIsPreparedWhileOneIsInUse() async throws {
    let counter = Failing()
    let plan = try images(3).batches(of: 1, transforms: [counter])
    let iterator = plan.prefetched(ahead: 1).makeAsyncIterator()
    _ = try await iterator.next()
    while counter.asked.load(ordering: .relaxed) < 2 {
      try Task.checkCancellation()
      await Task.yield()
    }
    #expect(try await iterator.next()?.indices == [1])
  }

  @Test func moreWorkersThanBatchesAreNotStarted() async throws {
    let plan = try images(3).batches(of: 1)
    var seen = 0
    for try await _ in plan.prefetched(ahead: .max, workers: .max) { seen += 1 }
    #expect(seen == 3)
  }

  @Test func nomoreIsPreparedThanAsked() async throws {
    let counter = Failing()
    let plan = try images(1000).batches(of: 1, transforms: [counter])
    do {
      let iterator = plan.prefetched(ahead: 3, workers: 2).makeAsyncIterator()
      for _ in 0..<5 { _ = try await iterator.next() }
    }
    // Five were handed over, and at most three more were under way at any time.
    #expect((5...8).contains(counter.asked.load(ordering: .relaxed)))
  }

  @Test func aPlanOfNothingHasNoBatches() async throws {
    let plan = try images().batches(of: 8, indices: [])
    let iterator = plan.prefetched().makeAsyncIterator()
    #expect(try await iterator.next() == nil)
  }
}
