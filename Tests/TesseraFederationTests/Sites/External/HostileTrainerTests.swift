import Foundation
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Trainers that break the protocol, or give what is not asked.
@Suite(.timeLimit(.minutes(20))) struct HostileTrainerTests {
  /// What a program does by hand, and what others are told of it.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var script: String
    var complaint: String
    var testDescription: String { name }
  }

  private static let answer =
    #"say({"type": "answer", "task": task["task"], "kind": "weights", "file": "x"})"#

  private static let cases: [Case] = [
    Case(
      name: "a line without end",
      script: "task = begin()\nsite.sendall(b'x' * (2 << 20))",
      complaint: "a line has more than 1048576 bytes"
    ),
    Case(name: "no JSON", script: "begin()\nsay(b'{')", complaint: "not JSON"),
    Case(
      name: "JSON that is nested deeply",
      script: "begin()\nsay(b'[' * 500000)",
      complaint: "not JSON"
    ),
    Case(name: "no hello", script: #"say({"type": "progress"})"#, complaint: "not 'hello'"),
    Case(
      name: "another version",
      script: #"say({"type": "hello", "protocol": [2]})"#,
      complaint: "does not speak version 1"
    ),
    Case(
      name: "another type",
      script: #"begin(); say({"type": "shutdown"})"#,
      complaint: "a type that the protocol has not"
    ),
    Case(
      name: "another task",
      script: #"begin(); say({"type": "answer", "task": 99, "kind": "metrics"})"#,
      complaint: "a task that it was not given"
    ),
    Case(
      name: "a number that is none",
      script: #"begin(); say({"type": "log", "name": "x", "value": "secret"})"#,
      complaint: "'value' is not what it should be"
    ),
    Case(
      name: "a file outside",
      script: answer.replacing("\"x\"", with: "\"../../etc/passwd\"").prepared,
      complaint: "a file's name must be of"
    ),
    Case(
      name: "a hidden file",
      script: answer.replacing("\"x\"", with: "\".x\"").prepared,
      complaint: "a file's name must be of"
    ),
    Case(name: "no file", script: answer.prepared, complaint: "No such file"),
    Case(
      name: "a link",
      script: (#"os.symlink("/etc/passwd", path("x")); "# + answer).prepared,
      complaint: "cannot be opened"
    ),
    Case(
      name: "a pipe",
      script: (#"os.mkfifo(path("x")); "# + answer).prepared,
      complaint: "not a regular file"
    ),
    Case(
      name: "a folder",
      script: (#"os.mkdir(path("x")); "# + answer).prepared,
      complaint: "not a regular file"
    ),
    Case(
      name: "a huge file",
      script: (#"open(path("x"), "wb").truncate(1 << 40); "# + answer).prepared,
      complaint: "the limit is"
    ),
    Case(
      name: "a truncated file",
      script: """
        task = begin()
        data = open(path(task["file"]), "rb").read()
        open(path("x"), "wb").write(data[:-1])
        \(answer)
        """,
      complaint: "truncated"
    ),
    Case(
      name: "another shape",
      script: written(#"{"weight": np.zeros(3, np.float32), "count": np.array([3])}"#),
      complaint: "'weight' is float32 [3] where float32 [2] was expected"
    ),
    Case(
      name: "another dtype",
      script: written(#"{"weight": np.zeros(2), "count": np.array([3])}"#),
      complaint: "'weight' is float64 [2] where float32 [2] was expected"
    ),
    Case(
      name: "a tensor too few",
      script: written(#"{"weight": np.zeros(2, np.float32)}"#),
      complaint: "'count' is missing"
    ),
    Case(
      name: "a tensor too many",
      script: written(
        #"{"weight": np.zeros(2, np.float32), "count": np.array([3]), "more": np.zeros(1)}"#
      ),
      complaint: "'more' is not the model's"
    ),
    Case(
      name: "more examples than announced",
      script: written(
        #"{"weight": np.zeros(2, np.float32), "count": np.array([3])}"#,
        #", "samples": 11"#
      ),
      complaint: "11 examples, and the site has announced 10"
    ),
    Case(
      name: "no examples",
      script: written(
        #"{"weight": np.zeros(2, np.float32), "count": np.array([3])}"#,
        #", "samples": 0"#
      ),
      complaint: "rests on no examples"
    ),
    Case(name: "an end at once", script: "site.close(); sys.exit(0)", complaint: "exit status 0"),
    Case(
      name: "a closed socket and no end",
      script: "begin(); lines.close(); site.close(); time.sleep(600)",
      complaint: "signal 9"
    ),
  ]

  private static func written(_ tensors: String, _ more: String = "") -> String {
    """
    import numpy as np
    from tessera_client import safetensors
    task = begin()
    safetensors.write(path("x"), \(tensors))
    \(answer.replacing("\"file\": \"x\"", with: "\"file\": \"x\"\(more)"))
    """
  }

  @Test(arguments: cases) func whatATrainerBreaksIsAnError(_ one: Case) async throws {
    let testing = try TrainerTesting(
      TrainerTesting.byHand + one.script + "\nwhile hear(): pass\n"
    )
    let complaint = try await testing.complaint(testing.task())
    #expect(complaint.contains(one.complaint), "\(complaint)")
    #expect(complaint.hasPrefix("site-1: its trainer "))
    #expect(!complaint.contains("secret"))
    await testing.executor.close()
    #expect(!testing.processes().contains(where: isAlive))
  }

  @Test func aBrokenTrainerIsToldWhy() async throws {
    let testing = try TrainerTesting(
      TrainerTesting.byHand + "begin()\nsay(b'{')\nnote(hear()['message'])"
    )
    _ = try await testing.complaint(testing.task())
    await testing.executor.close()
    #expect(testing.notes().last == "a line is not JSON of the protocol's form")
  }

  @Test func silenceIsJudgedByPatienceAlone() async throws {
    let testing = try TrainerTesting("time.sleep(600)", samples: [10, 10])
    var federation = Federation(
      workflow: try FedAvg(rounds: 1),
      transport: InProcessTransport(
        sites: testing.sites,
        executor: testing.executor,
        pool: LanePool(lanes: 2)
      ),
      key: RandomKey(seed: 1)
    )
    federation.quorum = Quorum(patience: .seconds(1))
    let error = await #expect(throws: FederationError.self) {
      try await federation.run(from: WorkflowState(model: TrainerTesting.model([1, 2])))
    }
    #expect(error?.code == .tooFewSites)
    #expect(!(0...1).flatMap(testing.processes).contains(where: isAlive))
  }

  @Test func aProgramThatIsNotThereIsNamed() async throws {
    let folder = try TemporaryFolder()
    for (command, complaint) in [
      ("no-such-program", "there is no program 'no-such-program' in the folders of PATH"),
      ("./train.py", "'./train.py' in the job's folder is no file that can be run"),
    ] {
      let executor = ExternalTrainer(
        TrainerProgram([command], folder: folder.path),
        job: "test",
        rounds: 1
      )
      let site = Site(index: 0, name: "north", exampleCount: 1)
      let task = SiteTask(site: site, data: .weights(.empty), key: RandomKey(seed: 1))
      let error = await #expect(throws: FederationError.self) {
        try await SiteWorker(executor: executor).answer(task)
      }
      #expect(error?.message == "north: its trainer cannot be started: \(complaint)")
      await executor.close()
    }
  }
}

extension String {
  /// The statement after the beginning of the protocol.
  fileprivate var prepared: String { "task = begin()\n\(self)" }
}
