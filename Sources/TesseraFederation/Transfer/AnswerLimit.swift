internal import TesseraCore

/// How large an answer to a task may be: what a site's filters can make of the job's model, and no more.
///
/// A site that announces more than that is refused before anything of it is kept: one site must not fill the server's disk.
public struct AnswerLimit: Sendable, Hashable {
  /// The bytes of the job's model; `nil` if its sites make the first one.
  public var model: Int?
  /// By how much an answer may be larger than the model or the task, whichever is larger.
  ///
  /// A sparse update has an index of 8 bytes beside each element of 4; a masked one has 8 bytes for each.
  public var factor = 4
  /// How many bytes there may be beside: keys, shares, statistics.
  public var allowance = 64 << 20
  /// How many bytes a first model may have that the sites make.
  public var firstModel = 4 << 30

  /// A limit.
  ///
  /// - Parameter model: The bytes of the job's model; `nil` if its sites make the first one.
  public init(model: Int?) { self.model = model }

  /// What is asked outside of rounds is answered with a few lines.
  public static var lines: Self {
    var limit = Self(model: 0)
    (limit.factor, limit.allowance) = (0, 4 << 20)
    return limit
  }

  /// How many bytes the answer to a task may have.
  ///
  /// - Parameters:
  ///   - task: The bytes of the task's own content.
  ///   - name: What is asked for: a model of which the task says nothing, with ``TaskName/initialize`` and ``TaskName/submitModel``.
  /// - Returns: The largest number of bytes.
  public func bytes(forTaskOf task: Int, named name: TaskName) -> Int {
    let larger = max(model ?? 0, task)
    let (product, overflow) = larger.multipliedReportingOverflow(by: factor)
    let (sum, isTooMuch) = product.addingReportingOverflow(allowance)
    guard !overflow, !isTooMuch else { return .max }
    let isUnknown = model == nil && [.initialize, .submitModel].contains(name)
    return isUnknown ? max(sum, firstModel) : sum
  }

  /// How many bytes the answer to a task has as a rule, at most: those of an update with 8 bytes in the place of 4.
  ///
  /// A site that announces more, though it may, is not what a full disk is measured by.
  ///
  /// - Parameters:
  ///   - task: The bytes of the task's own content.
  ///   - name: What is asked for.
  /// - Returns: A number of bytes, not above ``bytes(forTaskOf:named:)``.
  public func usualBytes(forTaskOf task: Int, named name: TaskName) -> Int {
    guard factor <= Self(model: 0).factor else { return bytes(forTaskOf: task, named: name) }
    var usual = self
    usual.factor = min(factor, 2)
    return usual.bytes(forTaskOf: task, named: name)
  }
}

extension PlannedJob {
  /// How large the answers of the job's sites may be.
  ///
  /// - Returns: The limit.
  /// - Throws: `TensorError` if the first model cannot be made.
  public func answerLimit() throws -> AnswerLimit {
    // Programs of a job's own may begin with a model that only they know.
    guard job.network != nil || !job.executor.runsPrograms else { return AnswerLimit(model: nil) }
    let state = try initialState()
    var limit = AnswerLimit(
      model: state.entries.reduce(0) { $0 + $1.tensor.count * $1.tensor.dtype.byteCount }
    )
    if job.isEncrypted {
      // A ciphertext has two polynomials of 8 bytes for each coefficient and prime, and one is not shared between tensors.
      limit.factor = 64
      limit.allowance += state.names.count << 20
    }
    return limit
  }
}
