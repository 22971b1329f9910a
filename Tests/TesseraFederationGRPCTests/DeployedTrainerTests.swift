import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraFederationGRPC
import Testing

/// Jobs of a deployment whose sites train with a program in Python that comes with the job.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DeployedTrainerTests {
  private static let script = """
    import os
    import numpy as np
    import tessera_client
    site = tessera_client.init()
    with open(os.path.join(os.environ["NOTES"], site.name), "a") as file:
        file.write(f"{os.getpid()}\\n")
    assert os.path.isdir(site.data) and os.path.exists("train.py")
    site.serve(
        train=lambda model: {"a": model.parameters["a"] + site.index + 1},
        initialize=lambda model: {"a": np.zeros(1)},
    )
    """

  /// A job's folder whose trainers note their numbers.
  private static func folder(
    _ federation: RunningFederation,
    rounds: Int,
    notes: FilePath
  ) throws -> FilePath {
    let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
    var root = FilePath(#filePath)
    for _ in 0..<3 { root.removeLastComponent() }
    try FileManager.default.createDirectory(
      atPath: notes.string,
      withIntermediateDirectories: true
    )
    let folder = try federation.folder(
      "trainers",
      """
      name: trainers
      workflows: [initial-weights, {type: fedavg, rounds: \(rounds)}]
      executor:
        type: external
        command: [\(prefix)/python-tests/bin/python3, train.py]
        environment: {PYTHONPATH: \(root.appending("python")), NOTES: \(notes), OMP_NUM_THREADS: "1"}
      minimum_sites: 2

      """
    )
    try script.write(
      toFile: folder.appending("train.py").string,
      atomically: true,
      encoding: .utf8
    )
    return folder
  }

  /// A federation whose server and sites let leads have programs started.
  private static func permissive() throws -> LoopbackFederation {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    for name in ["server", "site-1", "site-2"] {
      let policy = loopback.folder.appending("kits/\(name)/local/policy.yml")
      try """
      rights:
        lead: {submit: any, manage: own-submission, download: own-submission, view: any, run-external: any}

      """.write(toFile: policy.string, atomically: true, encoding: .utf8)
    }
    return loopback
  }

  /// The numbers that the trainers of a site have noted.
  private static func processes(_ notes: FilePath, _ site: String) -> [Int] {
    let text = FileManager.default.contents(atPath: notes.appending(site).string)
      .map { String(decoding: $0, as: UTF8.self) }
    return (text ?? "").split(separator: "\n").compactMap { Int($0) }
  }

  private static func isAlive(_ process: Int) -> Bool {
    let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    return status.map { !$0.contains(") Z ") } ?? false
  }

  @Test func sitesTrainWithTheJobsProgram() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 3, notes: notes)
      try await federation.console { console in
        let job = try await console.submit(folder)
        let end = try await console.end(of: job.id)
        #expect(end.state == .finished(.completed), "\(end.state)")
        let model = Mutex(Data())
        try await console.download("model.safetensors", of: job.id) { bytes in
          model.withLock { $0.append(bytes) }
        }
        let file = loopback.folder.appending("result.safetensors")
        try model.withLock { try $0.write(to: URL(filePath: file.string)) }
        // Neither has said how many examples it has, so both count the same.
        #expect(try ModelState(contentsOf: file)["a"]?.item() == 4.5)
        for site in ["site-1", "site-2"] {
          let processes = Self.processes(notes, site)
          #expect(processes.count == 1)
          let log = loopback.folder.appending("kits/\(site)/local/trainers/\(job.id)/\(site).log")
          #expect(FileManager.default.fileExists(atPath: log.string))
          // The site lets go of the job a moment after the server has said that it is over.
          while processes.contains(where: Self.isAlive) {
            try await Task.sleep(for: .milliseconds(20))
          }
        }
      }
    }
  }

  @Test func anAbortEndsTheProgramsOfAJob() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 10_000, notes: notes)
      try await federation.console { console in
        let job = try await console.submit(folder)
        try await console.watch(job.id) { event in
          guard case .roundFinished(let round) = event, round.round == 3 else { return }
          _ = try await console.abort(job.id)
        }
        for site in ["site-1", "site-2"] {
          let processes = Self.processes(notes, site)
          #expect(processes.count == 1)
          while processes.contains(where: Self.isAlive) {
            try await Task.sleep(for: .milliseconds(20))
          }
        }
      }
    }
  }

  @Test func withoutTheRightNothingIsStarted() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let notes = loopback.folder.appending("notes")
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 1, notes: notes)
      try await federation.console { console in
        let end = try await console.end(of: console.submit(folder).id)
        #expect(end.state.name == "abandoned" && end.state.reason?.contains("programs") == true)
      }
    }
    #expect(Self.processes(notes, "site-1").isEmpty)
  }
}
