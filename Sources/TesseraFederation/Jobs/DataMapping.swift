internal import Foundation
public import SystemPackage
internal import TesseraConfiguration
internal import TesseraCore
public import TesseraData

/// Where a job's data are: the contents of `data.yml`.
///
/// One data set that is divided among simulated sites:
///
///     images: /usr/share/datasets/fashion-mnist
///     partition: {type: dirichlet, alpha: 0.5}
///
/// or a folder of images for each site, and one to measure the global model on:
///
///     sites: {north: images/north, south: images/south}
///     test: images/test
///
/// or files of each site that its program reads:
///
///     folders: {north: data/north, south: data/south}
///     samples: {north: 600, south: 400}
public struct DataMapping: Sendable {
  /// Where they come from.
  public enum Source: Sendable {
    /// Nowhere.
    case none
    /// Where each site of a deployment says.
    case atSites
    /// Images in one place, to be divided; so many of those for training, drawn by the job's seed, or all.
    case divided(FilePath, any Partition, examples: Int?)
    /// Images of each site in a folder of its own, and those to measure by.
    case images([(site: String, folder: FilePath)], test: FilePath?)
    /// A table of each site.
    case tables([(site: String, file: FilePath)])
    /// Files of each site, whatever they hold, with how many examples they are if that is known.
    case folders([(site: String, path: FilePath, samples: Int?)])
  }
  /// Where they come from.
  public var source: Source

  init(source: Source) { self.source = source }

  init(_ data: Mapping, relativeTo base: FilePath, components: JobComponents) throws {
    func resolved(_ text: String) -> FilePath { base.pushing(FilePath(text)).absolute }
    let images = try data.optional(
      "images",
      .path,
      help: "one data set that is divided among simulated sites"
    )
    let partition = try data.optional(
      "partition",
      .component(from: components.partitions),
      help: "how it is divided; `iid` if not given"
    )
    let examples = try data.optional(
      "examples",
      .integer(in: 1...1_000_000_000),
      help: "how many of the images to train on are used, drawn by the seed; all if not given"
    )
    let sites = try data.optional(
      "sites",
      .named(.path),
      help: "in place of `images`: a folder of images of each site"
    )
    let test = try data.optional(
      "test",
      .path,
      help: "beside `sites`: images that the global model is measured on"
    )
    let tables = try data.optional(
      "tables",
      .named(.path),
      help: "in place of `images`: a CSV file of each site"
    )
    let folders = try data.optional(
      "folders",
      .named(.path),
      help: "in place of `images`: what each site's program reads, a folder or a file"
    )
    let samples = try data.optional(
      "samples",
      .named(.integer(in: 1...1_000_000_000)),
      help:
        "beside `folders`: how many examples each site has, the most that its answers weigh; what programs say if not given"
    )
    switch (images, sites, tables, folders) {
    case (let images?, nil, nil, nil):
      source = .divided(resolved(images), partition ?? .iid, examples: examples)
    case (nil, let sites?, nil, nil):
      source = .images(
        sites.map { (site: $0.name, folder: resolved($0.value)) },
        test: test.map(resolved)
      )
    case (nil, nil, let tables?, nil):
      source = .tables(tables.map { (site: $0.name, file: resolved($0.value)) })
    case (nil, nil, nil, let folders?):
      source = .folders(
        folders.map { folder in
          let count = samples?.first { $0.name == folder.name }?.value
          return (site: folder.name, path: resolved(folder.value), samples: count)
        }
      )
      Self.check(samples ?? [], of: folders.map(\.name), in: data)
    default:
      if ["images", "sites", "tables", "folders"].count(where: data.contains) != 1 {
        data.report(
          at: "images",
          "must have exactly one of 'images', 'sites', 'tables' and 'folders'"
        )
      }
      source = .none
    }
    if data.contains("samples"), !data.contains("folders") {
      data.report(at: "samples", "is only for folders")
    }
    if data.contains("partition"), !data.contains("images") {
      data.report(at: "partition", "is only for one data set that is divided")
    }
    if data.contains("examples"), !data.contains("images") {
      data.report(at: "examples", "is only for one data set that is divided")
    }
    if data.contains("test"), !data.contains("sites") {
      data.report(at: "test", "is only for sites that have a folder each")
    }
  }
}

extension DataMapping {
  /// Where the data of each site are, for an executor that reads them itself; `nil` if sites have no files of their own.
  var files: [SiteFiles]? {
    func files(_ places: [(site: String, path: FilePath, samples: Int?)]) -> [SiteFiles] {
      places.enumerated().map { index, place in
        SiteFiles(index: index, name: place.site, path: place.path, samples: place.samples)
      }
    }
    return switch source {
    case .none, .atSites, .divided: nil
    case .images(let sites, _): files(sites.map { ($0.site, $0.folder, nil) })
    case .tables(let sites): files(sites.map { ($0.site, $0.file, nil) })
    case .folders(let sites): files(sites)
    }
  }

  /// Reports numbers of examples that are not those of the sites.
  ///
  /// Shares of examples that are announced and numbers that are not do not weigh against each other.
  private static func check(
    _ samples: [(name: String, value: Int)],
    of sites: [String],
    in data: Mapping
  ) {
    guard data.contains("samples") else { return }
    if let unknown = samples.first(where: { !sites.contains($0.name) }) {
      let hint = hint(for: unknown.name, among: sites)
      data.report(at: "samples", "there is no site \(shown(unknown.name)) among 'folders'\(hint)")
    } else if let missing = sites.first(where: { site in !samples.contains { $0.name == site } }) {
      data.report(at: "samples", "must say for all sites or for none: \(shown(missing)) is missing")
    }
  }
}

extension FilePath {
  /// The path from the root, without links and dots where it is there: the same however it was given.
  ///
  /// `..` behind a link leads where the system says, not back.
  var absolute: FilePath {
    let path = FilePath(FileManager.default.currentDirectoryPath).pushing(self)
    guard let real = realpath(path.string, nil) else { return path.lexicallyNormalized() }
    defer { free(real) }
    return FilePath(platformString: real)
  }
}

extension Schema where Value == String {
  /// A path, which is not empty and has no character that no path has.
  fileprivate static var path: Schema {
    text.map(allowed: "that is a path") { path in
      guard !path.isEmpty, !path.utf8.contains(0) else {
        throw FederationError(
          code: .invalidConfiguration,
          message: path.isEmpty ? "must not be empty" : "must not hold a zero byte"
        )
      }
      return path
    }
  }
}
