/// What a site brings into a job, as it tells the server before the job begins: how much data it has, and of what kind.
public struct SiteOffer: Sendable, Hashable, Codable {
  /// The number of its examples: the most that an update of it may weigh.
  public var examples: Int
  /// What its images are like, if it has images.
  public var images: ImageFormat?
  /// Its files, if programs of the job's read them, and nothing keeps the site from telling their digest.
  public var files: Files?

  /// Files, so that whoever repeats the job can tell whether they were changed.
  public struct Files: Sendable, Hashable, Codable {
    /// How many there are.
    public var count: Int
    /// What `sha256sum FILES | sha256sum` prints in their folder, the files in the order of their names.
    public var digest: String

    /// Some files.
    public init(count: Int, digest: String) {
      self.count = count
      self.digest = digest
    }
  }

  /// An offer.
  public init(examples: Int, images: ImageFormat? = nil, files: Files? = nil) {
    self.examples = examples
    self.images = images
    self.files = files
  }
}

extension SiteOffer {
  /// The most examples that a site can have: what weights are computed of stays exact.
  private static let mostExamples = 1 << 40

  /// Refuses what no site has: the server is told it by others.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``.
  public func check() throws {
    let isImages =
      images.map {
        (1...1 << 12).contains($0.channels) && (1...1 << 16).contains($0.size)
          && (1...1 << 20).contains($0.classes)
      } ?? true
    guard (1...Self.mostExamples).contains(examples), isImages else {
      throw FederationError(
        code: .rejectedUpdate,
        message: examples < 1 ? "it has no examples" : "it offers data of a size that none have"
      )
    }
  }
}

/// Who takes part in a job, as the server tells the sites before the first round.
public struct JobRoster: Sendable, Hashable, Codable {
  /// A site, at its index.
  public struct Member: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// What it offered.
    public var offer: SiteOffer

    /// A member.
    public init(name: String, offer: SiteOffer) {
      self.name = name
      self.offer = offer
    }
  }

  /// The sites, in the order of their indices.
  public var members: [Member]

  /// A roster.
  public init(members: [Member]) { self.members = members }

  /// The roster as sites are told it: what one says of its files is for the server's record alone.
  public var forSites: JobRoster {
    var roster = self
    for index in members.indices { roster.members[index].offer.files = nil }
    return roster
  }

  /// The sites.
  public var sites: [Site] {
    members.enumerated().map {
      Site(index: $0, name: $1.name, exampleCount: $1.offer.examples)
    }
  }

  /// What the images of all sites are like; `nil` if no site has images.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` naming two sites whose images differ.
  public func images() throws -> ImageFormat? {
    guard let first = members.first else { return nil }
    for member in members where member.offer.images != first.offer.images {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          the data of \(member.name) are \(Self.text(member.offer.images)), and those of \(first.name) are \
          \(Self.text(first.offer.images))
          """
      )
    }
    return first.offer.images
  }

  private static func text(_ images: ImageFormat?) -> String {
    images.map { "\($0.channels)x\($0.size)x\($0.size) images of \($0.classes) classes" }
      ?? "no images"
  }
}
