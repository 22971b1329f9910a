internal import Foundation
public import SystemPackage
internal import TesseraConfiguration
public import TesseraFederation
public import TesseraProvisioning

/// What a site has, as its own `local/data.yml` says it: its data, by the names that jobs know them by, and its machine.
///
///     images: {chest: /data/chest}
///     tables: {patients: /data/patients.csv}
///     resources: {cores: 16, memory: 64, gpus: 1}
public struct SiteSettings: Sendable {
  /// Folders of images with classes.
  public var images: [String: FilePath]
  /// CSV files.
  public var tables: [String: FilePath]
  /// Folders that only trainers of a job's own look into.
  public var folders: [String: FilePath]
  /// What jobs may use together; the whole machine if the file says nothing.
  public var resources: Resources
  /// The GPUs that jobs may use, by the numbers that CUDA gives them: those of the machine if the file says nothing.
  public var gpus: [Int]

  /// Reads the file of a kit.
  ///
  /// - Throws: `ConfigurationError` with file, line and the nearest known name of everything that is wrong.
  public init(of kit: StartupKit) throws {
    try self.init(contentsOf: kit.localFolder.appending("data.yml"))
  }

  /// Reads a file.
  ///
  /// - Throws: `ConfigurationError` with file, line and the nearest known name of everything that is wrong.
  public init(contentsOf path: FilePath) throws {
    self = try ConfigurationFile(contentsOf: path).decode { file in
      let base = path.removingLastComponent()
      func places(_ key: String, _ help: String) throws -> [String: FilePath] {
        let named = try file.optional(key, .named(.text), default: [], help: help)
        return Dictionary(named.map { ($0.name, base.pushing(FilePath($0.value))) }) { $1 }
      }
      let machine = Self.machine
      let (resources, gpus) = try file.section(
        "resources",
        help: "what jobs may use here together; the whole machine if not given"
      ) { own in
        let gpus =
          try own.optional(
            "gpus",
            .either(
              Schema<[Int]>.list(of: .integer(in: 0...1023), count: 0...1024),
              Schema<Int>.integer(in: 0...1024).map { Array(0..<$0) }
            ),
            help: "GPUs: how many, or their numbers; those of the machine if not given"
          ) ?? GPUPool.detected()
        guard Set(gpus).count == gpus.count else {
          throw own.error(at: "gpus", "names a GPU twice")
        }
        let resources = Resources(
          cores: try own.optional(
            "cores",
            .integer(in: 0...100_000),
            default: machine.cores,
            help: "cores"
          ),
          memory: Int(
            try own.optional(
              "memory",
              Schema<Double>.number(in: 0...1_000_000),
              default: Double(machine.memory) / 1e9,
              help: "memory, in GB"
            ) * 1e9
          ),
          gpus: gpus.count
        )
        return (resources, gpus)
      }
      return SiteSettings(
        images: try places("images", "folders of images with classes, by the names that jobs know"),
        tables: try places("tables", "CSV files, by the names that jobs know"),
        folders: try places(
          "folders",
          "folders for trainers of a job's own, by the names that jobs know"
        ),
        resources: resources,
        gpus: gpus
      )
    }
  }

  private init(
    images: [String: FilePath],
    tables: [String: FilePath],
    folders: [String: FilePath],
    resources: Resources,
    gpus: [Int]
  ) {
    self.gpus = gpus
    self.images = images
    self.tables = tables
    self.folders = folders
    self.resources = resources
  }

  /// The cores and the memory of this machine.
  private static var machine: Resources {
    let process = ProcessInfo.processInfo
    return Resources(
      cores: process.activeProcessorCount,
      memory: Int(clamping: process.physicalMemory)
    )
  }

  /// Where the data for a job lie.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if the site has none of that name, or several
  ///   and the job names none.
  public func source(for job: Job) throws -> LocalData.Source {
    var found: [(name: String, source: LocalData.Source)] = []
    if job.executor.data == .files {
      for places in [images, tables, folders] { found += places.map { ($0.key, .files($0.value)) } }
    } else {
      if job.executor.data != .tables { found += images.map { ($0.key, .images($0.value)) } }
      if job.executor.data != .images { found += tables.map { ($0.key, .table($0.value)) } }
    }
    if let name = job.deployment.dataset { found = found.filter { $0.name == name } }
    let kind = job.executor.data?.rawValue ?? "data"
    guard let one = found.first else {
      throw DeploymentError(
        code: .unavailable,
        message: job.deployment.dataset.map { "the site has no \(kind) named '\($0)'" }
          ?? "the site has no \(kind)"
      )
    }
    guard found.count == 1 else {
      throw DeploymentError(
        code: .unavailable,
        message:
          "the site has several data for the job, which must name one of them: deployment.dataset"
      )
    }
    return one.source
  }
}
