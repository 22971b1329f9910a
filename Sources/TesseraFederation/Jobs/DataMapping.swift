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
public struct DataMapping: Sendable {
  /// Where they come from.
  public enum Source: Sendable {
    /// Nowhere.
    case none
    /// Images in one place, to be divided.
    case divided(FilePath, any Partition)
    /// Images of each site in a folder of its own, and those to measure by.
    case images([(site: String, folder: FilePath)], test: FilePath?)
    /// A table of each site.
    case tables([(site: String, file: FilePath)])
  }
  /// Where they come from.
  public var source: Source

  init(source: Source) { self.source = source }

  init(_ data: Mapping, relativeTo base: FilePath, components: JobComponents) throws {
    func resolved(_ text: String) -> FilePath {
      base.pushing(FilePath(text)).lexicallyNormalized()
    }
    let images = try data.optional("images", .text)
    let partition = try data.optional("partition", .component(from: components.partitions))
    let sites = try data.optional("sites", .named(.text))
    let tables = try data.optional("tables", .named(.text))
    let test = try data.optional("test", .text)
    switch (images, sites, tables) {
    case (let images?, nil, nil): source = .divided(resolved(images), partition ?? .iid)
    case (nil, let sites?, nil):
      source = .images(
        sites.map { (site: $0.name, folder: resolved($0.value)) },
        test: test.map(resolved)
      )
    case (nil, nil, let tables?):
      source = .tables(tables.map { (site: $0.name, file: resolved($0.value)) })
    default:
      throw data.error(at: "images", "must have exactly one of 'images', 'sites' and 'tables'")
    }
    if partition != nil, images == nil {
      throw data.error(at: "partition", "is only for one data set that is divided")
    }
  }
}
