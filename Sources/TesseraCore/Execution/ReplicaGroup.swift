internal import CTessera

/// Several processes that compute one thing together, each with a copy of the model: LibTorch's c10d, over Gloo, and NCCL between GPUs.
///
/// All make the same calls in the same order; a call returns when all have made it. If one of them ends, the others' calls fail.
///
///     let group = try ReplicaGroup(rank: 1, of: 4, host: "10.0.0.7", port: 29_500)
///     let total = try group.sum(gradient)
///
/// What lies on GPUs goes from one to another by NCCL where each process has one of its own, and through the machine's memory otherwise.
/// A group belongs to one task at a time, and is not `Sendable`.
public final class ReplicaGroup {
  /// The number of this process, from 0.
  public let rank: Int
  /// How many processes there are.
  public let size: Int
  private let pointer: OpaquePointer

  /// Waits until all processes are there.
  ///
  /// - Parameters:
  ///   - rank: The number of this process, from 0. The first listens for the others.
  ///   - size: How many processes there are.
  ///   - host: Where the first can be reached.
  ///   - port: Where it listens.
  ///   - patience: How many seconds to wait, for the others here, and later for each call of theirs.
  /// - Throws: ``TensorError`` if a number is outside what is allowed, or the others do not come.
  public init(
    rank: Int,
    of size: Int,
    host: String = "127.0.0.1",
    port: UInt16,
    patience: Double = 1800
  ) throws {
    guard (1...65_536).contains(size), (0..<size).contains(rank), patience > 0 else {
      throw TensorError(
        code: .invalidArgument,
        message: "there is no process \(rank) of \(size), or no patience"
      )
    }
    var made: OpaquePointer?
    try check(tessera_replicas(host, port, Int32(rank), Int32(size), patience, &made))
    guard let made else { throw TensorError(TESSERA_INTERNAL) }
    pointer = made
    self.rank = rank
    self.size = size
  }

  deinit { tessera_replicas_release(pointer) }

  /// The sum of all processes' tensors.
  ///
  /// - Parameter x: Of the same shape and dtype in all.
  /// - Returns: The same in all, bit for bit.
  /// - Throws: ``TensorError`` if a process has ended, or has another shape.
  public func sum(_ x: Tensor) throws -> Tensor {
    try x.mapped { tessera_replicas_sum(pointer, $0, $1) }
  }

  /// All processes' tensors, one after the other along the first dimension.
  ///
  /// - Parameter x: Of the same shape and dtype in all.
  /// - Returns: The same in all.
  /// - Throws: ``TensorError`` if a process has ended, or has another shape.
  public func gathered(_ x: Tensor) throws -> Tensor {
    try x.mapped { tessera_replicas_gather(pointer, $0, $1) }
  }

  /// The first process's tensor.
  ///
  /// - Parameter x: Of the same shape and dtype in all.
  /// - Returns: The same in all.
  /// - Throws: ``TensorError`` if a process has ended, or has another shape.
  public func first(_ x: Tensor) throws -> Tensor {
    try x.mapped { tessera_replicas_first(pointer, $0, $1) }
  }
}
