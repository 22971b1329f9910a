internal import Crypto
public import Foundation
public import TesseraProvisioning

/// What somebody wants a site's program to do, signed with the person's own key.
///
/// The server carries it to the site, which checks the signature by the authority's list: a server that somebody else has taken
/// over can hold an operation back, and can neither make one up nor have one done twice, elsewhere or later.
///
///     let wanted = try SignedOperation(.restart, at: "north", signedWith: StartupKit(contentsOf: "kits/olaf"))
public struct SignedOperation: Sendable, Hashable {
  /// What is signed.
  private struct Order: Sendable, Hashable, Codable {
    var format = 1
    var project: String
    var site: String
    var operation: String
    var level: String?
    var person: String
    /// When it was signed, as ISO 8601, and a number that was drawn for it: no two are the same.
    var signed: Date
    var nonce: String
  }

  /// What was signed, as JSON.
  public let text: Data
  /// The person's signature of it.
  public let signature: Data
  /// What is to be done.
  public let operation: SiteOperation
  private let order: Order

  /// The site that is to do it.
  public var site: String { order.site }
  /// Who says to want it.
  public var person: String { order.person }
  /// When it was signed.
  public var signed: Date { order.signed }
  /// The SHA-256 digest of what was signed, hexadecimal: its name.
  var digest: String { Hexadecimal.text(SHA256.hash(data: text)) }

  private static let context = Data("tessera operation 1\n".utf8)
  /// The longest text that can be an order, in bytes.
  private static let limit = 4096

  /// Signs an operation.
  ///
  /// - Parameters:
  ///   - operation: What is to be done.
  ///   - site: The site that is to do it.
  ///   - kit: That of who wants it.
  ///   - now: The time.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed`` if the kit is no user's; `ProvisioningError` if its
  ///   key cannot be read.
  public init(
    _ operation: SiteOperation,
    at site: String,
    signedWith kit: StartupKit,
    at now: Date = Date()
  ) throws {
    guard kit.participant.kind == .user else {
      throw DeploymentError(
        code: .notAllowed,
        message:
          "\(kit.participant.name) is a \(kit.participant.kind.rawValue): users operate sites"
      )
    }
    order = Order(
      project: kit.project,
      site: site,
      operation: operation.name,
      level: operation.levelName,
      person: kit.participant.name,
      // To the second, as the text has it.
      signed: Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down)),
      nonce: Hexadecimal.text((0..<16).map { _ in UInt8.random(in: 0...255) })
    )
    text = Data(try JSONText.of(order).utf8)
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: kit.signingKey())
    signature = try key.signature(for: Self.context + text)
    self.operation = operation
  }

  /// An operation that arrived; nothing is true of it before it is verified.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/invalidArgument`` if it is none.
  public init(text: Data, signature: Data) throws {
    guard (1...Self.limit).contains(text.count), signature.count == 64,
      let order = try? JSONText.decoder.decode(Order.self, from: text), order.format == 1,
      let operation = SiteOperation(name: order.operation, level: order.level)
    else {
      throw DeploymentError(
        code: .invalidArgument,
        message: "what is asked of the site is no operation that somebody has signed"
      )
    }
    (self.text, self.signature, self.operation, self.order) = (text, signature, operation, order)
  }

  /// Says who wants it, if that is true.
  ///
  /// - Parameters:
  ///   - site: The site that it came to, or is to go to.
  ///   - participants: The authority's list, with everybody's key.
  ///   - revocations: Certificates that are good no longer.
  /// - Returns: The person.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if the signature is not that person's, with code
  ///   ``DeploymentError/Code/notAllowed`` if it is for another site, or the person is not, or no longer, a user.
  public func verify(
    at site: String,
    knowing participants: ParticipantList,
    revocations: RevocationList
  ) throws -> Person {
    let subject = "the operation '\(operation.name)'"
    guard order.site.lowercased() == site.lowercased() else {
      throw DeploymentError(
        code: .notAllowed,
        message: "\(subject) was signed for the site \(order.site), and not for \(site)"
      )
    }
    return try participants.signer(
      of: Self.context + text,
      signature,
      named: order.person,
      in: order.project,
      revocations: revocations,
      subject: subject
    )
  }
}
