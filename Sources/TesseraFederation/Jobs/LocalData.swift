public import SystemPackage
internal import TesseraCore
internal import TesseraData

/// A site's own data for a job, where the site is.
public struct LocalData: Sendable {
  /// Where they lie.
  public enum Source: Sendable, Hashable {
    /// A folder of images with classes.
    case images(FilePath)
    /// A CSV file.
    case table(FilePath)
    /// A folder or a file, which a job's program reads itself.
    case files(FilePath)
  }

  private enum Contents: Sendable {
    case images(LabelledImages)
    case table(CSVFile, rows: Int)
    case files(FilePath)
  }
  private let contents: Contents

  /// Reads them.
  ///
  /// - Parameters:
  ///   - source: Where they lie.
  ///   - progress: Is called while single images are read, with how many are read and how many there are.
  /// - Throws: `DataError` or ``FederationError`` naming the file if they cannot be read.
  public init(
    _ source: Source,
    progress: (_ read: Int, _ of: Int) -> Void = { _, _ in }
  ) throws {
    switch source {
    case .images(let folder):
      contents = .images(try LabelledImages.load(.train, from: folder, progress: progress))
    case .table(let path):
      let file = try CSVFile(contentsOf: path)
      var rows = 0
      try file.forEachRow { _, _ in rows += 1 }
      contents = .table(file, rows: rows)
    case .files(let path): contents = .files(path)
    }
  }

  /// What the server is told of them.
  public var offer: SiteOffer {
    switch contents {
    case .images(let images):
      SiteOffer(examples: images.count, images: JobImages.format(of: images))
    case .table(_, let rows): SiteOffer(examples: max(rows, 1))
    // How many there are, the program knows.
    case .files: SiteOffer(examples: 1)
    }
  }

  /// What the server is told of them, with the digest of files that programs read.
  ///
  /// - Parameter progress: Is called each mebibyte that is read; what it throws ends it.
  /// - Returns: The offer; without the digest if a file cannot be read.
  /// - Throws: `CancellationError` if `progress` throws it.
  public func digestedOffer(progress: () throws -> Void = {}) throws -> SiteOffer {
    var offer = offer
    guard case .files(let path) = contents else { return offer }
    do { offer.files = try FolderFiles.digest(of: path, progress: progress) } catch let error
      as CancellationError
    {
      throw error
    } catch {
      // Programs may do without it, and say so if they cannot.
    }
    return offer
  }

  /// The data as a job's executor wants them: of all sites, this one alone has any.
  ///
  /// - Parameters:
  ///   - index: The site's.
  ///   - sites: All sites of the job.
  /// - Returns: The data.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/badTask`` if there is no such site.
  func data(ofSite index: Int, among sites: [Site]) throws -> JobData {
    guard sites.indices.contains(index) else {
      throw FederationError(
        code: .badTask,
        message: "there are \(sites.count) sites, and this one is to be number \(index + 1)"
      )
    }
    switch contents {
    case .images(let images):
      return .images(try JobImages(images, ofSite: index, among: sites))
    case .table(let file, _): return .tables([(sites[index], file)])
    case .files(let path):
      return .files([SiteFiles(site: sites[index], path: path, isCounted: false)])
    }
  }
}
