import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Sites whose trainers are Python programs of a test.
struct TrainerTesting {
  let folder: TemporaryFolder
  let executor: ExternalTrainer
  let sites: [Site]

  /// The Python that `./setup --tests` installs.
  static var python: String {
    let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
    return "\(prefix)/python-tests/bin/python3"
  }

  /// Where this repository's client is.
  static var client: String {
    var path = FilePath(#filePath)
    for _ in 0..<5 { path.removeLastComponent() }
    return path.appending("python").string
  }

  /// What a program writes beside its data: `note("started")` adds a line to the file `notes` of the site.
  private static let preamble = """
    import json, os, signal, socket, sys, time
    def note(text):
        with open(os.path.join(os.environ["TESSERA_DATA"], "notes"), "a") as file:
            file.write(text + "\\n")
    def notes():
        return open(os.path.join(os.environ["TESSERA_DATA"], "notes")).read().split("\\n")
    note(f"started {os.getpid()}")

    """

  /// The client's side without the client: lines by hand.
  static let byHand = """
    site = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    site.connect(os.environ["TESSERA_SOCKET"])
    lines = site.makefile("rb")
    def say(message):
        site.sendall((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\\n")
    def hear():
        line = lines.readline()
        return json.loads(line) if line else None
    def begin():
        global welcome
        say({"type": "hello", "protocol": [1]})
        welcome = hear()
        return hear()
    def path(name):
        return os.path.join(welcome["folder"], name)

    """

  init(
    _ script: String,
    samples: [Int] = [10],
    isCounted: Bool = true,
    initial: ModelState? = nil
  ) throws {
    folder = try TemporaryFolder()
    _ = try folder.file("train.py", Array((Self.preamble + script).utf8))
    sites = samples.enumerated().map {
      Site(
        index: $0.offset,
        name: "site-\($0.offset + 1)",
        exampleCount: isCounted ? $0.element : 1
      )
    }
    var data: [String: ExternalTrainer.SiteData] = [:]
    for site in sites {
      let path = folder.path.appending(site.name)
      try FileManager.default.createDirectory(
        atPath: path.string,
        withIntermediateDirectories: true
      )
      data[site.name] = .init(path: path, isCounted: isCounted)
    }
    executor = ExternalTrainer(
      TrainerProgram(
        [Self.python, "train.py"],
        environment: ["PYTHONPATH": Self.client, "OMP_NUM_THREADS": "1"],
        folder: folder.path
      ),
      job: "test",
      rounds: 3,
      data: data,
      initial: initial
    )
  }

  /// What a site's program has noted.
  func notes(_ site: Int = 0) -> [String] {
    let file = folder.path.appending("site-\(site + 1)").appending("notes")
    let text = FileManager.default.contents(atPath: file.string)
      .map { String(decoding: $0, as: UTF8.self) }
    return (text ?? "").split(separator: "\n").map(String.init)
  }

  /// The numbers of all processes that were noted, as `started` and others.
  func processes(_ site: Int = 0) -> [pid_t] {
    notes(site).compactMap { line in
      let words = line.split(separator: " ")
      return ["started", "child"].contains(words.first) ? words.last.flatMap { pid_t($0) } : nil
    }
  }

  /// A task for a site.
  func task(
    _ name: TaskName = .train,
    _ model: ModelState? = nil,
    round: Int = 1,
    site: Int = 0
  ) throws -> SiteTask {
    SiteTask(
      step: round,
      name: name,
      round: round,
      site: sites[site],
      data: .weights(try model ?? Self.model([1, 2])),
      key: RandomKey(seed: 1)[round][site]
    )
  }

  /// Runs a task as a site does, with a log.
  func answer(
    _ task: SiteTask,
    failed: @escaping @Sendable (SiteTask, any Error) -> Void = { _, _ in }
  ) async throws -> Exchange {
    try await SiteWorker(
      executor: executor,
      logs: folder.path.appending("logs"),
      failed: failed
    ).answer(task)
  }

  /// What others are told of why a task fails.
  func complaint(_ task: SiteTask) async throws -> String {
    let error = await #expect(throws: (any Error).self) { try await answer(task) }
    return error.map { "\($0)" } ?? ""
  }

  static func model(_ values: [Float]) throws -> ModelState {
    try ModelState([
      (name: "weight", tensor: Tensor(values)), (name: "count", tensor: Tensor([Int64(3)])),
    ])
  }
}

/// Whether a process is there, as other than a zombie.
func isAlive(_ process: pid_t) -> Bool {
  guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
    return false
  }
  let state = status.split(separator: ")").last?.split(separator: " ").first
  return state != "Z" && state != "X"
}
