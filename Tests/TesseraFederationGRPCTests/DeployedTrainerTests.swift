import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraFederation
import TesseraFederationGRPC
import TesseraRun
import TesseraTesting
import Testing

/// Jobs of a deployment whose sites train with a program in Python that comes with the job.
@Suite(.serialized, .timeLimit(.minutes(20))) struct DeployedTrainerTests {
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
    notes: FilePath,
    script: String = script
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

  @Test func aJobHasTheGPUsThatItHasAskedForAndNoOthers() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    for (site, gpus) in [("site-1", "[1, 3, 4]"), ("site-2", "2")] {
      let file = loopback.folder.appending("kits/\(site)/local/data.yml").string
      let text = try String(contentsOfFile: file, encoding: .utf8)
      try "\(text)\nresources: {gpus: \(gpus)}\n"
        .write(toFile: file, atomically: true, encoding: .utf8)
    }
    let script = """
      import os
      import numpy as np
      import tessera_client
      site = tessera_client.init()
      with open(os.path.join(os.environ["NOTES"], site.name), "a") as file:
          file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "all") + "\\n")
      site.serve(train=lambda model: model.parameters, initialize=lambda model: {"a": np.zeros(1)})
      """
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 1, notes: notes, script: script)
      let plan = folder.appending("job.yml").string
      let text = try String(contentsOfFile: plan, encoding: .utf8)
      try await federation.console { console in
        for gpus in [2, 0] {
          try text.appending("deployment: {gpus: \(gpus)}\n")
            .replacingOccurrences(of: "OMP_NUM", with: "CUDA_VISIBLE_DEVICES: '7', OMP_NUM")
            .write(toFile: plan, atomically: true, encoding: .utf8)
          let end = try await console.end(of: console.submit(folder).id)
          #expect(end.state == .finished(.completed), "\(end.state)")
        }
        let sites = try await console.sites()
        #expect(sites.map { $0.description?.resources.gpus } == [3, 2])
      }
    }
    let seen = ["site-1", "site-2"].map { site in
      FileManager.default.contents(atPath: notes.appending(site).string)
        .map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(seen == ["1,3\n\n", "0,1\n\n"])
  }

  /// For the server a job is over when it has its result; its programs have some seconds yet.
  @Test func aJobHasItsGPUsUntilItsProgramsAreGone() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    for site in ["site-1", "site-2"] {
      let file = loopback.folder.appending("kits/\(site)/local/data.yml").string
      let text = try String(contentsOfFile: file, encoding: .utf8)
      try "\(text)\nresources: {gpus: 1}\n".write(toFile: file, atomically: true, encoding: .utf8)
    }
    let script = """
      import os, time
      import numpy as np
      import tessera_client
      site = tessera_client.init()
      def note(text):
          with open(os.path.join(os.environ["NOTES"], site.name), "a") as file:
              file.write(text + "\\n")
      note("begins with " + os.environ["CUDA_VISIBLE_DEVICES"])
      site.serve(train=lambda model: model.parameters, initialize=lambda model: {"a": np.zeros(1)})
      time.sleep(1)
      note("is gone")
      """
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 1, notes: notes, script: script)
      let plan = folder.appending("job.yml").string
      let text = try String(contentsOfFile: plan, encoding: .utf8)
      try text.appending("deployment: {gpus: 1}\n")
        .write(toFile: plan, atomically: true, encoding: .utf8)
      try await federation.console { console in
        for _ in 0..<2 {
          let end = try await console.end(of: console.submit(folder).id)
          #expect(end.state == .finished(.completed), "\(end.state)")
        }
      }
      for site in ["site-1", "site-2"] {
        let text = try String(contentsOfFile: notes.appending(site).string, encoding: .utf8)
        let lines = text.split(separator: "\n")
        #expect(lines.prefix(3) == ["begins with 0", "is gone", "begins with 0"], "\(site)")
      }
    }
  }

  @Test func aRecordSaysWhatDataAndProgramsWereAndVerifyNamesWhatChanged() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    let (id, folder) = try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 2, notes: notes)
      return try await federation.console { console in
        let job = try await console.submit(folder)
        let end = try await console.end(of: job.id)
        #expect(end.state == .finished(.completed), "\(end.state)")
        return (job.id, folder)
      }
    }
    let record = try RunRecord.open(
      at: loopback.folder.appending("kits/server/work/jobs/\(id)/run")
    )
    let manifest = try record.manifest()
    #expect(manifest.programs?.keys.sorted() == ["train.py"])
    #expect(manifest.datasets.map(\.name) == ["site-1", "site-2"])
    #expect(manifest.datasets.allSatisfy { $0.files == 2 && $0.digest.count == 64 })
    // What one site says of its files, the other is not told.
    let roster = loopback.folder.appending("kits/server/work/jobs/\(id)/roster.json").string
    #expect(try String(contentsOfFile: roster, encoding: .utf8).contains("digest"))
    // Repeated where copies of the data are.
    let places = loopback.sites.map { "\($0.name): \(loopback.folder)/data-\($0.name)" }
    try "folders: {\(places.joined(separator: ", "))}\n".write(
      toFile: folder.appending("data.yml").string,
      atomically: true,
      encoding: .utf8
    )
    func verify() async throws -> String? {
      try await JobRun(Job(contentsOf: folder), lanes: 1).verify(record).map { "\($0)" }
    }
    #expect(try await verify() == nil)
    let program = folder.appending("train.py").string
    try (Self.script + "\n# more\n").write(toFile: program, atomically: true, encoding: .utf8)
    #expect(try await verify() == "the job's file 'train.py' was changed")
    try Self.script.write(toFile: program, atomically: true, encoding: .utf8)
    let more = folder.appending("more.py").string
    try "".write(toFile: more, atomically: true, encoding: .utf8)
    #expect(try await verify() == "the job's file 'more.py' is new")
    try FileManager.default.removeItem(atPath: more)
    let added = loopback.folder.appending("data-site-2/more.txt").string
    try "1".write(toFile: added, atomically: true, encoding: .utf8)
    #expect(try await verify() == "the data set 'site-2'")
  }

  @Test func aSiteWithABudgetTellsNoDigestOfItsData() async throws {
    let loopback = try Self.permissive()
    let policy = loopback.folder.appending("kits/site-2/local/policy.yml").string
    let text = try String(contentsOfFile: policy, encoding: .utf8)
    try (text + "privacy: {epsilon: 1, delta: 1e-5}\n").write(
      toFile: policy,
      atomically: true,
      encoding: .utf8
    )
    let notes = loopback.folder.appending("notes")
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 1, notes: notes)
      try await federation.console { console in
        let job = try await console.submit(folder)
        _ = try await console.end(of: job.id)
        let record = try RunRecord.open(
          at: loopback.folder.appending("kits/server/work/jobs/\(job.id)/run")
        )
        #expect(try record.manifest().datasets.map(\.name) == ["site-1"])
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
        for try await news in console.watch(job.id) {
          guard case .roundFinished(let round) = news.event, round.round == 3 else { continue }
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

  /// It has answered, and would have some seconds to save what it likes were the job over by itself.
  @Test func anAbortEndsProgramsThatWaitForTheirNextTask() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    let script = """
      import os, signal, time
      import numpy as np
      import tessera_client
      site = tessera_client.init()
      with open(os.path.join(os.environ["NOTES"], site.name), "a") as file:
          file.write(f"{os.getpid()}\\n")
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      def train(model):
          if site.index == 0:
              time.sleep(600)
          return {"a": model.parameters["a"]}
      try:
          site.serve(train=train, initialize=lambda model: {"a": np.zeros(1)})
      finally:
          time.sleep(600)
      """
    try await RunningFederation.run(loopback) { federation in
      let folder = try Self.folder(federation, rounds: 3, notes: notes, script: script)
      try await federation.console { console in
        let job = try await console.submit(folder)
        let start = Mutex(ContinuousClock.now)
        let isTraining = Mutex(false)
        for try await news in console.watch(job.id) {
          let event = news.event
          switch event {
          case .asked("train", _, _): isTraining.withLock { $0 = true }
          case .answered("site-2", _) where isTraining.withLock { $0 }:
            start.withLock { $0 = .now }
            _ = try await console.abort(job.id)
          default: break
          }
        }
        for site in ["site-1", "site-2"] {
          let processes = Self.processes(notes, site)
          #expect(processes.count == 1)
          while processes.contains(where: Self.isAlive) {
            try await Task.sleep(for: .milliseconds(20))
          }
        }
        // A second is the most there should be; 6 s it would take otherwise.
        #expect(ContinuousClock.now - start.withLock { $0 } < .seconds(4))
      }
    }
  }

  /// The transport finds the server's disk full before anything else does: nothing is wrong with the job, nor with its sites.
  @Test(.enabled(if: SmallDisk.isPossible, "only root can mount a small disk, where it may"))
  func aJobPausesUntilThereIsRoomForAnAnswer() async throws {
    let loopback = try Self.permissive()
    let notes = loopback.folder.appending("notes")
    let disk = try SmallDisk(megabytes: 6)
    let script = Self.script.replacingOccurrences(of: "np.zeros(1)", with: "np.zeros(1_000_000)")
    var settings = JobService.Settings()
    settings.pause = .seconds(2)
    try await RunningFederation.run(loopback, spool: disk.path, settings: settings) { federation in
      let folder = try Self.folder(federation, rounds: 2, notes: notes, script: script)
      try await federation.console { console in
        let job = try await console.submit(folder)
        var reasons: [String] = []
        for try await news in console.watch(job.id) {
          // Before that it may wait for its sites.
          guard case .waiting(let reason, _) = news.event, reason.contains("pauses") else {
            continue
          }
          reasons.append(reason)
          if reasons.count == 1 { try disk.resize(megabytes: 200) }
        }
        let end = try await console.show(job.id)
        #expect(end.job.state == .finished(.completed) && end.rounds.last?.contributors.count == 2)
        let reason = try #require(reasons.first)
        for part in ["pauses", "cannot make room for 8000000 bytes in \(disk.path)"] {
          #expect(reason.contains(part), "\(reason)")
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
