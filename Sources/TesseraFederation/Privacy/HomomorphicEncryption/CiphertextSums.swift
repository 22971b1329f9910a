internal import CSEAL
internal import Synchronization
internal import TesseraCore

// @unchecked Sendable: the Mutex guards the pointer and everything beside it.
/// The running sum of encrypted tensors of one shape, in memory.
final class CiphertextSums: @unchecked Sendable {
  private struct State {
    /// `nil` once something could not be taken back.
    var pointer: OpaquePointer?
    var addends = 0
    var weight = 0.0
  }

  let context: CKKSContext
  let shape: [Int]
  private let template: EncryptedHeader
  private let state: Mutex<State>

  // The template has the shape, and the place in a model; its addends and weight do not count.
  init(_ template: EncryptedHeader, in context: CKKSContext) throws {
    self.context = context
    self.template = template
    shape = template.shape
    let count = template.ciphertexts(in: context)
    let pointer = try produced { cseal_sums(context.seal.pointer, count, $0) }
    state = Mutex(State(pointer: pointer))
  }

  deinit {
    state.withLock { if let pointer = $0.pointer { cseal_sums_release(pointer) } }
  }

  var addends: Int { state.withLock { $0.addends } }
  var weight: Double { state.withLock { $0.weight } }

  /// Adds a tensor, or nothing.
  func add(_ encrypted: EncryptedTensor) throws {
    try fold(encrypted, subtracting: false) { $0 + encrypted.weight }
  }

  /// Takes back a tensor that was added, exactly, as the sums are of whole numbers.
  ///
  /// The weights' sum, of floating-point numbers, is set to what it was before.
  func takeBack(_ encrypted: EncryptedTensor, restoring weight: Double) throws {
    try fold(encrypted, subtracting: true) { _ in weight }
  }

  private func fold(
    _ encrypted: EncryptedTensor,
    subtracting: Bool,
    _ newWeight: (Double) -> Double
  ) throws {
    guard encrypted.shape == shape, encrypted.header.layout == template.layout,
      encrypted.header.block == template.block
    else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "an encrypted tensor \(encrypted.shape) where \(shape) was expected"
      )
    }
    try state.withLock { state in
      guard let pointer = state.pointer else { throw CiphertextSums.broken }
      let weight = newWeight(state.weight)
      let addends = state.addends + (subtracting ? -encrypted.addends : encrypted.addends)
      let largest = context.parameters.largestTotalWeight
      guard weight <= largest * (1 + 1e-9), addends <= EncryptedHeader.mostAddends else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the encrypted tensors are too many, or weigh more than \(largest) together"
        )
      }
      var done = 0
      do {
        try encrypted.forEachCiphertext(in: context) { index, ciphertext in
          try change(pointer, index, ciphertext, subtracting: subtracting)
          done += 1
        }
      } catch {
        guard done > 0 else { throw error }
        do {
          try encrypted.forEachCiphertext(in: context, first: done) { index, ciphertext in
            try change(pointer, index, ciphertext, subtracting: !subtracting)
          }
        } catch {
          // The same bytes were good before, so this is for want of memory. Half a tensor must not stay in a sum.
          cseal_sums_release(pointer)
          state.pointer = nil
        }
        throw error
      }
      state.weight = weight
      state.addends = addends
    }
  }

  private static let broken = FederationError(
    code: .rejectedUpdate,
    message: "an earlier failure has left this encrypted sum unusable"
  )

  private func change(
    _ pointer: OpaquePointer,
    _ index: Int,
    _ ciphertext: UnsafeRawBufferPointer,
    subtracting: Bool
  ) throws {
    guard let base = ciphertext.baseAddress else { return }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    try check(
      cseal_sums_add(context.seal.pointer, pointer, index, bytes, ciphertext.count, subtracting)
    )
  }

  /// The sum as an encrypted tensor.
  func total() throws -> EncryptedTensor {
    try state.withLock { state in
      guard let pointer = state.pointer else { throw CiphertextSums.broken }
      guard state.addends > 0 else {
        throw FederationError(code: .tooFewSites, message: "there is no encrypted update to add")
      }
      var header = template
      header.isSeeded = false
      header.addends = state.addends
      header.weight = state.weight
      return try EncryptedTensor.make(header, in: context) { index, target in
        guard let base = target.baseAddress else { return }
        try check(cseal_sums_save(context.seal.pointer, pointer, index, base, target.count))
      }
    }
  }

  /// Gives the memory back; the sum cannot be used any more.
  func clear() {
    state.withLock { state in
      if let pointer = state.pointer { cseal_sums_release(pointer) }
      state.pointer = nil
    }
  }
}
