public import SystemPackage
internal import TesseraCore
public import TesseraData
internal import TesseraRun

/// The data of all sites of a simulated job, in memory.
public enum JobData: Sendable {
  /// Images with classes.
  case images(JobImages)
  /// A table for each site.
  case tables([(site: Site, file: CSVFile)])
  /// Files of each site, which its executor reads itself.
  case files([SiteFiles])

  /// The sites.
  public var sites: [Site] {
    switch self {
    case .images(let images): images.sites
    case .tables(let tables): tables.map(\.site)
    case .files(let files): files.map(\.site)
    }
  }
}

/// Where the data of a site are that its executor reads itself.
public struct SiteFiles: Sendable, Hashable {
  /// The site; of one example if nobody has said how many there are.
  public var site: Site
  /// A folder or a file.
  public var path: FilePath
  /// Whether the site's number of examples is known.
  public var isCounted: Bool

  /// The data of a site.
  ///
  /// - Parameters:
  ///   - site: The site.
  ///   - path: A folder or a file.
  ///   - isCounted: Whether the site's number of examples is known.
  public init(site: Site, path: FilePath, isCounted: Bool) {
    self.site = site
    self.path = path
    self.isCounted = isCounted
  }

  /// The data of a site of a simulation.
  ///
  /// - Parameters:
  ///   - index: The site's.
  ///   - name: The site's.
  ///   - path: A folder or a file.
  ///   - samples: How many examples there are; `nil` if nobody has said so.
  public init(index: Int, name: String, path: FilePath, samples: Int?) {
    site = Site(index: index, name: name, exampleCount: samples ?? 1)
    self.path = path
    isCounted = samples != nil
  }
}

/// The images of all sites of a simulated job.
public struct JobImages: Sendable {
  /// All images that sites train on.
  public var train: LabelledImages
  /// Those that the global model is measured on, if there are any.
  public var test: LabelledImages?
  /// Which of the images each site has.
  public var partition: [[Int]]
  /// The sites.
  public var sites: [Site]

  /// What the images are like.
  public var format: ImageFormat { Self.format(of: train) }

  static func format(of images: LabelledImages) -> ImageFormat {
    let shape = images.images.shape
    return ImageFormat(channels: shape[1], size: shape[2], classes: images.classNames.count)
  }

  /// The images of one site of a deployment; the others' are elsewhere.
  init(_ images: LabelledImages, ofSite index: Int, among sites: [Site]) throws {
    train = images
    partition = sites.map { $0.index == index ? Array(0..<images.count) : [] }
    self.sites = sites
    try check(images.files.first ?? "")
  }

  /// Reads a data set and divides it.
  init(
    dividing folder: FilePath,
    by partition: any Partition,
    among count: Int,
    examples: Int?,
    key: RandomKey,
    progress: (_ read: Int, _ of: Int) -> Void
  ) throws {
    let all = try LabelledImages.load(.train, from: folder, progress: progress)
    if let examples, examples > all.count {
      throw FederationError(
        code: .invalidConfiguration,
        message: "must not be more than the \(all.count) images there are, not \(examples)"
      )
    }
    if let examples {
      train = try all.subset(SiteSample.draw(examples, below: all.count, key: key["examples"]))
    } else {
      train = all
    }
    test = try LabelledImages.load(.test, from: folder, progress: progress)
    self.partition = try partition.indices(labels: train.labelList, sites: count, key: key)
    sites = self.partition.enumerated().map {
      Site(index: $0.offset, name: "site-\($0.offset + 1)", exampleCount: $0.element.count)
    }
    try check(folder)
  }

  /// Reads a folder of each site.
  init(
    of folders: [(site: String, folder: FilePath)],
    test: FilePath?,
    progress: (_ read: Int, _ of: Int) -> Void
  ) throws {
    let parts = try folders.map {
      try LabelledImages.load(.train, from: $0.folder, progress: progress)
    }
    train = try LabelledImages(joining: parts, named: "sites' images")
    var start = 0
    partition = parts.map { part in
      defer { start += part.count }
      return Array(start..<start + part.count)
    }
    sites = zip(folders, parts).enumerated().map { index, pair in
      Site(index: index, name: pair.0.site, exampleCount: pair.1.count)
    }
    self.test = try test.map { try LabelledImages.load(.test, from: $0, progress: progress) }
    try check(folders.first?.folder ?? "")
  }

  private func check(_ folder: FilePath) throws {
    let shape = train.images.shape
    guard shape[2] == shape[3], shape[2] >= 4,
      test.map({
        $0.images.shape.dropFirst() == shape.dropFirst() && $0.classNames == train.classNames
      }) ?? true
    else {
      throw DataError(
        code: .malformedFile,
        message: """
          \(folder): images for training and testing must be squares of one size, with the same \
          classes
          """
      )
    }
  }

  /// What a record says of them.
  func datasets(in folder: FilePath) throws -> [RunManifest.Dataset] {
    try [train, test].compactMap { $0 }.map { dataset in
      RunManifest.Dataset(
        name: dataset.name,
        examples: dataset.count,
        files: dataset.files.count,
        digest: try Digest.sha256(ofFiles: dataset.files, in: folder)
      )
    }
  }
}
