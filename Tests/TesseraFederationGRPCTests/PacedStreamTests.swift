import Synchronization
import Testing

@testable import TesseraFederationGRPC

/// What is followed over the wire waits for who reads it.
@Suite(.timeLimit(.minutes(20))) struct PacedStreamTests {
  @Test func whatFillsItIsNotFurtherThanTheReaderByMoreThanTheBacklog() async throws {
    let passed = Mutex(0)
    let most = PacedStream<Int>.backlog
    let stream = PacedStream<Int> { pass in
      for number in 0..<10 * most {
        try await pass(number)
        passed.withLock { $0 = number + 1 }
      }
    }
    var read = 0
    for try await number in stream {
      #expect(number == read)
      read += 1
      // What is passed on while this is read took the place of what was.
      #expect(passed.withLock { $0 } <= read + most)
      await Task.yield()
    }
    #expect(read == 10 * most)
  }

  @Test func whoReadsNothingHasItWait() async throws {
    let most = PacedStream<Int>.backlog
    let passed = Mutex(0)
    let (full, isFull) = AsyncStream<Void>.makeStream()
    let (over, isOver) = AsyncStream<Void>.makeStream()
    var stream: PacedStream<Int>? = PacedStream<Int> { pass in
      defer { isOver.finish() }
      while true {
        if passed.withLock({ $0 }) == most { isFull.finish() }
        try await pass(0)
        passed.withLock { $0 += 1 }
      }
    }
    for await _ in full {}
    #expect(passed.withLock { $0 } == most)
    // Nobody can read it any more: what fills it is cancelled.
    withExtendedLifetime(stream) {}
    stream = nil
    for await _ in over {}
    #expect(passed.withLock { $0 } == most)
  }

  @Test func whatGoesWrongIsThrownAfterWhatWasPassed() async throws {
    struct Failure: Error {}
    let stream = PacedStream<Int> { pass in
      try await pass(1)
      throw Failure()
    }
    var numbers = stream.makeAsyncIterator()
    #expect(try await numbers.next() == 1)
    await #expect(throws: Failure.self) { try await numbers.next() }
  }
}
