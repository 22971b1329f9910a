internal import Foundation
internal import SystemPackage
internal import TesseraData
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraFederationGRPC
internal import TesseraProvisioning

/// A federation on one machine, to try things out: kits, data for each site, and processes.
struct PocFederation: Sendable {
  /// Where all of it lies.
  let folder: FilePath
  private let sites: [String]

  /// Provisions it, and gives each site its share of Fashion-MNIST.
  ///
  /// - Throws: `DataError` if the data are not there.
  init(sites count: Int, in folder: FilePath?) throws {
    sites = (1...count).map { "site-\($0)" }
    self.folder = try folder ?? Self.newFolder()
    let project = try Project(
      name: "poc",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "Tessera",
          addresses: ["127.0.0.1", "localhost"],
          port: Project.usualPort
        )
      ] + sites.map { try Participant(name: $0, kind: .site, organisation: "Tessera") }
        + [
          Participant(
            name: "ada",
            kind: .user,
            organisation: "Tessera",
            role: .projectAdmin
          )
        ]
    )
    _ = try AuthorityFolder.provision(project, in: self.folder)
    try divideData()
  }

  private static func newFolder() throws -> FilePath {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd-HHmmss"
    return FilePath("runs").appending("\(formatter.string(from: Date()))-poc")
  }

  /// A participant's kit.
  func kit(_ name: String) -> FilePath { folder.appending("kits").appending(name) }

  /// Writes each site's share of the data into a folder of its own, and says so in its `data.yml`.
  private func divideData() throws {
    let all = try LabelledImages.load(.train, from: FashionMNIST.debianFolder)
    let each = min(2000, all.count / sites.count)
    for (index, site) in sites.enumerated() {
      let place = folder.appending("data").appending(site)
      try FileManager.default.createDirectory(
        atPath: place.string,
        withIntermediateDirectories: true
      )
      let share = try all.subset(Array(index * each..<(index + 1) * each))
      try IDXFolder.write(share, as: .train, to: place)
      let whole = place.isAbsolute ? place.string : Self.absolute(place)
      try "images: {fashion: \(whole)}\n"
        .write(
          toFile: kit(site).appending("local").appending("data.yml").string,
          atomically: true,
          encoding: .utf8
        )
    }
  }

  private static func absolute(_ path: FilePath) -> String {
    FilePath(FileManager.default.currentDirectoryPath).pushing(path).string
  }

  /// Lets jobs run programs, at the server and at all sites: on one's own machine, they are one's own.
  ///
  /// - Throws: ``DeploymentError`` if a policy is not as a new kit has it.
  func allowPrograms() throws {
    for name in ["server"] + sites {
      let path = kit(name).appending("local").appending("policy.yml").string
      let policy = try String(contentsOfFile: path, encoding: .utf8)
      let changed = policy.replacingOccurrences(
        of: "operate: any, run-external: none",
        with: "operate: any, run-external: any"
      )
      guard changed != policy else {
        throw DeploymentError(code: .cannotRead, message: "\(path) is not as it was made")
      }
      try changed.write(toFile: path, atomically: true, encoding: .utf8)
    }
  }

  /// Writes the job that is run if no other is named.
  ///
  /// - Returns: Its folder.
  func writeJob() throws -> FilePath {
    let place = folder.appending("job")
    try FileManager.default.createDirectory(
      atPath: place.string,
      withIntermediateDirectories: true
    )
    let text = """
      # Federated averaging of a small convolutional network; each site trains on its own images.
      name: fashion
      workflow: {type: fedavg, rounds: 5}
      model: image-classifier
      executor: {type: classifier, epochs: 1}
      minimum_sites: \(sites.count)
      deployment: {dataset: fashion}

      """
    try text.write(toFile: place.appending("job.yml").string, atomically: true, encoding: .utf8)
    return place
  }

  /// Starts the server and the sites.
  func start() throws -> PocProcesses {
    try PocProcesses(
      folder: folder,
      server: kit("server"),
      sites: sites.map { ($0, kit($0)) }
    )
  }
}
