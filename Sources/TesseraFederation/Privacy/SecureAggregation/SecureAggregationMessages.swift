public import Foundation

/// What the server asks of a site: one request a phase, one answer each.
public enum SecureAggregationRequest: Sendable, Hashable, Codable {
  /// Make new keys and send the public ones.
  case advertiseKeys(SecureAggregationConfiguration)
  /// Share your secrets with these neighbours.
  case shareKeys(NeighbourKeys)
  /// Here are your neighbours' shares for you; send your vector, masked.
  case maskVector(DeliveredShares)
  /// Sign this list of survivors. Asked in signed rounds only.
  case confirmSurvivors(SurvivorList)
  /// Send what removes the masks from the sum.
  case unmask(UnmaskingRequest)
}

/// What a site answers.
public enum SecureAggregationAnswer: Sendable, Hashable, Codable {
  /// To ``SecureAggregationRequest/advertiseKeys(_:)``.
  case keys(AdvertisedKeys)
  /// To ``SecureAggregationRequest/shareKeys(_:)``.
  case shares(EncryptedShares)
  /// To ``SecureAggregationRequest/maskVector(_:)``.
  case masked(MaskedVector)
  /// To ``SecureAggregationRequest/confirmSurvivors(_:)``: an Ed25519 signature of 64 bytes.
  case confirmation(Data)
  /// To ``SecureAggregationRequest/unmask(_:)``.
  case unmasking(UnmaskingShares)
}

/// Bytes that come from a site, are meant for it, or are about it, as the field that holds them says.
public struct SiteBytes: Sendable, Hashable, Codable {
  /// The site.
  public var site: Int
  /// The bytes.
  public var bytes: Data

  /// Makes an entry.
  public init(site: Int, bytes: Data) {
    self.site = site
    self.bytes = bytes
  }
}

/// A site's public keys of one round.
public struct AdvertisedKeys: Sendable, Hashable, Codable {
  /// The X25519 key that shares for the site are encrypted under, 32 bytes.
  public var cipherKey: Data
  /// The X25519 key that masks are agreed with, 32 bytes.
  public var maskKey: Data
  /// In signed rounds the Ed25519 signature over both and the configuration, 64 bytes; otherwise empty.
  public var signature: Data

  /// Makes a message.
  public init(cipherKey: Data, maskKey: Data, signature: Data = Data()) {
    self.cipherKey = cipherKey
    self.maskKey = maskKey
    self.signature = signature
  }
}

/// The keys of a site's neighbours.
public struct NeighbourKeys: Sendable, Hashable, Codable {
  /// A neighbour and its keys.
  public struct Entry: Sendable, Hashable, Codable {
    /// The neighbour.
    public var site: Int
    /// Its keys.
    public var keys: AdvertisedKeys

    /// Makes an entry.
    public init(site: Int, keys: AdvertisedKeys) {
      self.site = site
      self.keys = keys
    }
  }

  /// The neighbours, ascending.
  public var neighbours: [Entry]

  /// Makes a message.
  public init(neighbours: [Entry]) {
    self.neighbours = neighbours
  }
}

/// A site's secrets in shares, each encrypted for the neighbour that keeps it.
public struct EncryptedShares: Sendable, Hashable, Codable {
  /// For each neighbour, ascending, 80 bytes: two shares of 32 bytes and a tag of 16.
  public var shares: [SiteBytes]
  /// A digest of the self-mask's seed, 32 bytes: shows whether it was put together rightly.
  public var commitment: Data

  /// Makes a message.
  public init(shares: [SiteBytes], commitment: Data) {
    self.shares = shares
    self.commitment = commitment
  }
}

/// The shares that a site's neighbours sent for it.
public struct DeliveredShares: Sendable, Hashable, Codable {
  /// From each neighbour that takes part, ascending, 80 bytes.
  public var shares: [SiteBytes]

  /// Makes a message.
  public init(shares: [SiteBytes]) {
    self.shares = shares
  }
}

/// A vector under masks: to whoever lacks the seeds, evenly distributed numbers.
public struct MaskedVector: Sendable, Hashable, Codable {
  /// The elements, modulo 2^64.
  public var elements: [UInt64]

  /// Makes a message.
  public init(elements: [UInt64]) {
    self.elements = elements
  }

  /// Reads the elements from bytes, 8 for each, the lowest first.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let bytes = try container.decode(Data.self)
    guard bytes.count.isMultiple(of: 8) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "\(bytes.count) bytes are not a whole number of elements of 8 bytes"
      )
    }
    // Read as they lie: an array of numbers would be as slow to decode as it is large.
    elements = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
      }
    }
  }

  /// Writes the elements as bytes, 8 for each, the lowest first.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(elements.map(\.littleEndian).withUnsafeBytes { Data($0) })
  }
}

/// The sites whose vectors the sum will be of.
public struct SurvivorList: Sendable, Hashable, Codable {
  /// All of them, ascending.
  public var survivors: [Int]

  /// Makes a message.
  public init(survivors: [Int]) {
    self.survivors = survivors
  }
}

/// What the server needs to know to remove the masks.
public struct UnmaskingRequest: Sendable, Hashable, Codable {
  /// All sites whose vectors have come, ascending: the shares of their self-masks are asked for.
  public var survivors: [Int]
  /// The receiver's neighbours that shared their keys but sent no vector, ascending: the shares of their mask keys are asked
  /// for.
  public var dropped: [Int]
  /// In signed rounds, surviving neighbours' signatures of the list of survivors, ascending.
  public var confirmations: [SiteBytes]

  /// Makes a message.
  public init(survivors: [Int], dropped: [Int], confirmations: [SiteBytes] = []) {
    self.survivors = survivors
    self.dropped = dropped
    self.confirmations = confirmations
  }
}

/// One share for each of a site's neighbours: of the self-mask of those that survived, of the key of those that dropped out.
public struct UnmaskingShares: Sendable, Hashable, Codable {
  /// The shares of survivors' self-masks, the sender's own among them, ascending; 32 bytes each.
  public var selfMaskShares: [SiteBytes]
  /// The shares of the mask keys of those that dropped out, ascending; 32 bytes each.
  public var maskKeyShares: [SiteBytes]

  /// Makes a message.
  public init(selfMaskShares: [SiteBytes], maskKeyShares: [SiteBytes]) {
    self.selfMaskShares = selfMaskShares
    self.maskKeyShares = maskKeyShares
  }
}
