internal import Synchronization

/// A sequence that a task fills no faster than somebody reads it, so that what is followed waits where it comes from.
///
///     let lines = PacedStream<String> { pass in
///       for try await line in connection { try await pass(line) }
///     }
///
/// It has one reader. When nobody reads it any more, what fills it is cancelled.
struct PacedStream<Element: Sendable>: AsyncSequence, Sendable {
  /// How many elements may wait for the reader.
  static var backlog: Int { 64 }

  private let reader: Reader

  /// Begins to fill.
  ///
  /// - Parameter fill: Passes elements on, one after the other; what it throws, the reader is thrown.
  init(
    _ fill:
      @escaping @Sendable (_ pass: @escaping @Sendable (Element) async throws -> Void) async throws
      -> Void
  ) {
    reader = Reader(fill)
  }

  /// Begins to read.
  func makeAsyncIterator() -> Iterator { Iterator(reader) }

  /// Reads.
  struct Iterator: AsyncIteratorProtocol {
    private let reader: Reader
    private var elements: AsyncThrowingStream<Element, any Error>.Iterator

    fileprivate init(_ reader: Reader) {
      self.reader = reader
      elements = reader.elements.makeAsyncIterator()
    }

    mutating func next() async throws -> Element? { try await next(isolation: #isolation) }

    mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(any Error) -> Element? {
      let element = try await elements.next(isolation: actor)
      reader.places.leave()
      return element
    }
  }

  /// Ends the filling when the last one who could read is gone.
  fileprivate final class Reader: Sendable {
    let elements: AsyncThrowingStream<Element, any Error>
    let places = Places(count: PacedStream.backlog)
    private let filling: Task<Void, Never>

    init(
      _ fill:
        @escaping @Sendable (_ pass: @escaping @Sendable (Element) async throws -> Void)
        async throws -> Void
    ) {
      let (elements, element) = AsyncThrowingStream<Element, any Error>.makeStream()
      self.elements = elements
      filling = Task { [places] in
        do {
          try await fill {
            try await places.enter()
            element.yield($0)
          }
          element.finish()
        } catch {
          element.finish(throwing: error)
        }
      }
    }

    deinit { filling.cancel() }
  }
}

/// Places, of which there are so many, for one who waits until one is free.
final class Places: Sendable {
  private struct State {
    var free: Int
    var waiter: CheckedContinuation<Void, any Error>?
  }
  private let state: Mutex<State>

  /// - Parameter count: How many there are.
  init(count: Int) { state = Mutex(State(free: count)) }

  /// Takes a place, as soon as there is one.
  ///
  /// - Throws: `CancellationError` if the current task is cancelled.
  func enter() async throws {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result: Result<Void, any Error>? = state.withLock { state in
          if Task.isCancelled { return .failure(CancellationError()) }
          guard state.free == 0 else {
            state.free -= 1
            return .success(())
          }
          state.waiter = continuation
          return nil
        }
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      take()?.resume(throwing: CancellationError())
    }
  }

  /// Gives a place back.
  func leave() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      guard let waiter = state.waiter else {
        state.free += 1
        return nil
      }
      state.waiter = nil
      return waiter
    }
    waiter?.resume()
  }

  private func take() -> CheckedContinuation<Void, any Error>? {
    state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }
  }
}
