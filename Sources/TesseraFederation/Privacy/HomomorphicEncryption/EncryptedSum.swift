/// The sum of encrypted tensors, as an aggregator makes it, without a key that decrypts.
///
/// The sites have weighted their elements before encryption, so the sum needs no multiplication; decrypted, it is the
/// weighted mean. A site that encrypts other than agreed spoils the sum, and nobody can see it: encryption hides that, too.
///
/// It changes in place and is not copied.
public struct EncryptedSum: ~Copyable {
  private let sums: CiphertextSums

  /// An empty sum.
  ///
  /// - Parameters:
  ///   - shape: The shape of the addends.
  ///   - context: The public side of the sites' key.
  /// - Throws: ``FederationError`` if a tensor of this shape cannot be encrypted.
  public init(of shape: [Int], in context: CKKSContext) throws {
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "\(shape) is not the shape of a tensor"
        )
      }
      count = product
    }
    let header = try EncryptedHeader(
      identity: context.identity,
      isSeeded: false,
      addends: 1,
      weight: 1,
      shape: shape
    )
    sums = try CiphertextSums(header, in: context)
  }

  /// How many tensors were added.
  public var addends: Int { sums.addends }
  /// The sum of their weights.
  public var weight: Double { sums.weight }

  /// Adds a tensor, or refuses it as a whole.
  ///
  /// - Parameters:
  ///   - encrypted: Of the sum's shape, under its key.
  ///   - site: Who sent it, for the error.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site.
  public mutating func add(_ encrypted: EncryptedTensor, from site: String) throws {
    do {
      try sums.add(encrypted)
    } catch let error as FederationError {
      throw FederationError(code: error.code, message: "\(site): \(error.message)")
    }
  }

  /// The sum so far.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if nothing was added.
  public func total() throws -> EncryptedTensor { try sums.total() }
}
