import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraTesting
import Testing

@Suite struct OperationsEndpointTests {
  /// Runs an endpoint while `body` does.
  private func serving(
    checks: [ReadinessCheck] = [],
    limits: OperationsEndpoint.Limits = .init(time: .seconds(60)),
    _ body: @escaping @Sendable (_ port: Int) async throws -> Void
  ) async throws {
    let registry = MetricsRegistry()
    registry.counter("tessera_rounds_total", "Rounds.").add(7)
    let endpoint = OperationsEndpoint(
      port: 0,
      name: "server",
      metrics: registry,
      checks: checks,
      limits: limits
    )
    let (ports, port) = AsyncStream<Int>.makeStream()
    try await withThrowingTaskGroup { group in
      group.addTask { try await endpoint.run { port.yield($0) } }
      group.addTask {
        for await port in ports {
          try await body(port)
          break
        }
      }
      try await group.next()
      group.cancelAll()
    }
  }

  @Test func anHTTPClientIsAnswered() async throws {
    let problem = Mutex<String?>("there is no connection to the server")
    let folder = try TemporaryFolder()
    let missing = folder.path.appending("missing")
    try await serving(checks: [
      .connected { problem.withLock { $0 } == nil }, .writable(folder.path),
      .writable(missing, name: "logs"), .certificate(from: .distantPast, until: .distantFuture),
      ReadinessCheck("other") { problem.withLock { $0 } == nil ? nil : "off" },
    ]) { port in
      try await python(
        """
        import http.client, json, sys
        def ask(method, path, body=None, headers={}):
            connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            body = answer.read()
            if method != "HEAD":
                assert len(body) == int(answer.headers["content-length"])
            return answer.status, answer.headers, body
        status, headers, body = ask("GET", "/health")
        assert status == 200 and headers["content-type"] == "application/json", (status, headers)
        health = json.loads(body)
        assert health["status"] == "running" and health["name"] == "server", health
        status, headers, body = ask("GET", "/metrics?x=y")
        assert status == 200 and body.endswith(b"tessera_rounds_total 7\\n"), body
        assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert headers["connection"] == "close"
        status, headers, body = ask("HEAD", "/metrics")
        assert status == 200 and body == b"" and int(headers["content-length"]) > 20
        status, headers, body = ask("GET", "/ready")
        ready = json.loads(body)
        assert status == 503 and ready["ready"] is False, ready
        assert set(ready["problems"]) == {"server", "logs", "other"}, ready
        assert "no connection to the server" in ready["problems"]["server"]
        assert "cannot be written" in ready["problems"]["logs"]
        for path in ["/", "/nothing", "/health/", "//health", "/metrics/../health", "*"]:
            assert ask("GET", path)[0] == 404, path
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]:
            status, headers, body = ask(method, "/metrics", b"x" * 100)
            assert status == 405 and headers["allow"] == "GET, HEAD", (method, status)
        assert ask("GET", "/health", headers={"x": "y" * 4000})[0] == 200
        """,
        ["\(port)"]
      )
      problem.withLock { $0 = nil }
      mkdir(missing.string, 0o755)
      try await python(
        """
        import json, sys, urllib.request
        answer = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/ready", timeout=60)
        assert answer.status == 200 and json.load(answer)["ready"] is True
        """,
        ["\(port)"]
      )
    }
    #expect(folder.names == ["missing"])
  }

  /// What the scripts below begin with.
  private static let client = """
    import socket, sys, time
    port = int(sys.argv[1])
    def connect():
        return socket.create_connection(("127.0.0.1", port), timeout=60)
    def rest(connection):
        data = b""
        try:
            while more := connection.recv(65536):
                data += more
        except ConnectionResetError:
            pass
        return data
    def say(data):
        with connect() as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return rest(connection)

    """

  @Test func whatIsNoHTTPIsRefusedAndWhatIsTooLargeIsCutOff() async throws {
    try await serving(limits: .init(time: .seconds(60), requestSize: 8192)) { port in
      try await python(
        Self.client + """
          for nonsense in [b"\\0\\1\\2\\3\\r\\n\\r\\n", b"GET\\r\\n\\r\\n",
                           b"GET /health HTTP/9.9\\r\\n\\r\\n",
                           b"GET /health HTTP/1.1\\r\\nbad header\\r\\n\\r\\n",
                           b"\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03" + b"x" * 100]:
              assert say(nonsense).startswith(b"HTTP/1.1 400"), nonsense
          # Two requests at once: one is answered.
          with connect() as connection:
              connection.sendall(b"GET /health HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n" * 2)
              connection.shutdown(socket.SHUT_WR)
              twice = rest(connection)
          assert twice.count(b"HTTP/1.1 200") == 1, twice
          # Too large: in one header, in many, in the path.
          for large in [b"GET /health HTTP/1.1\\r\\nx: " + b"y" * 20000,
                        b"GET /health HTTP/1.1\\r\\n" + b"x: y\\r\\n" * 5000,
                        b"GET /" + b"y" * 20000]:
              answer = say(large)
              assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
          assert say(b"GET /health HTTP/1.0\\r\\n\\r\\n").startswith(b"HTTP/1.0 200")
          """,
        ["\(port)"]
      )
    }
  }

  @Test func whoIsSlowIsCutOffInTime() async throws {
    try await serving(limits: .init(time: .seconds(1))) { port in
      try await python(
        Self.client + """
          # Half a request, or nothing.
          for start in [b"", b"GET /hea"]:
              with connect() as connection:
                  connection.sendall(start)
                  begin = time.monotonic()
                  assert rest(connection) == b""
                  assert 0.5 < time.monotonic() - begin < 50
          # A byte now and then.
          with connect() as connection:
              begin = time.monotonic()
              try:
                  while time.monotonic() - begin < 50:
                      connection.sendall(b"G")
                      time.sleep(0.2)
              except (BrokenPipeError, ConnectionResetError):
                  pass
              assert time.monotonic() - begin < 50
          """,
        ["\(port)"]
      )
    }
  }

  @Test func thereAreOnlySoManyAtOnce() async throws {
    try await serving(limits: .init(time: .seconds(300), connections: 4)) { port in
      try await python(
        Self.client + """
          many = [connect() for _ in range(12)]
          begin, ended = time.monotonic(), set()
          while len(ended) < 8 and time.monotonic() - begin < 50:
              for number, connection in enumerate(many):
                  connection.settimeout(0.01)
                  try:
                      if connection.recv(1) == b"":
                          ended.add(number)
                  except TimeoutError:
                      pass
                  except ConnectionResetError:
                      ended.add(number)
          assert len(ended) == 8, ended
          for connection in many:
              connection.close()
          while not say(b"GET /health HTTP/1.1\\r\\n\\r\\n").startswith(b"HTTP/1.1 200"):
              assert time.monotonic() - begin < 100
          """,
        ["\(port)"]
      )
    }
  }

  @Test func changedRequestsStopNothing() async throws {
    let original = Array(
      "GET /health HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nuser-agent: test\r\n\r\n".utf8
    )
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1)["requests"])
    var requests: [[UInt8]] = (0..<original.count).map { Array(original.prefix($0)) }
    for _ in 0..<400 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &numbers) {
        let place = Int.random(in: 0..<bytes.count, using: &numbers)
        bytes[place] = .random(in: 0...255, using: &numbers)
      }
      requests.append(bytes)
    }
    let hex = requests.map { $0.map { String(format: "%02x", $0) }.joined() }
    try await serving(limits: .init(time: .seconds(60))) { port in
      try await python(
        """
        import collections, socket, sys
        seen = collections.Counter()
        for text in sys.argv[2:] + [sys.argv[-1]]:
            connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
            connection.sendall(bytes.fromhex(text))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while more := connection.recv(65536):
                    answer += more
            except ConnectionResetError:
                pass
            connection.close()
            seen[answer[9:12]] += 1
        assert set(seen) <= {b"", b"200", b"400", b"404", b"405", b"503"}, seen
        assert seen[b"200"] > 20 and seen[b"400"] > 20, seen
        """,
        ["\(port)"] + hex.filter { !$0.isEmpty }
      )
      try await python(
        """
        import sys, urllib.request
        assert urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=60).status == 200
        """,
        ["\(port)"]
      )
    }
  }

  private static func waitForNothing() { DispatchSemaphore(value: 0).wait() }

  @Test func aProgramWhoseTasksAreStuckIsNotHealthy() async throws {
    // In a process of its own: the tasks of other tests need the threads.
    await #expect(processExitsWith: .success) {
      let endpoint = OperationsEndpoint(
        port: 0,
        name: "server",
        metrics: MetricsRegistry(),
        limits: .init(time: .seconds(1))
      )
      let (ports, port) = AsyncStream<Int>.makeStream()
      let serving = Task { try await endpoint.run { port.yield($0) } }
      for await port in ports {
        // Each thread of the tasks waits for something that does not come.
        for _ in 0..<2 * ProcessInfo.processInfo.activeProcessorCount {
          Task.detached { Self.waitForNothing() }
        }
        Thread.detachNewThread {
          let script = """
            import json, sys, urllib.error, urllib.request
            try:
                urllib.request.urlopen("http://127.0.0.1:\(port)/health", timeout=60)
                sys.exit(1)
            except urllib.error.HTTPError as error:
                sys.exit(0 if error.code == 503 and json.load(error)["status"] == "stuck" else 2)
            """
          let python = Process()
          python.executableURL = URL(filePath: "/usr/bin/env")
          python.arguments = ["python3", "-c", script]
          try? python.run()
          python.waitUntilExit()
          exit(python.terminationStatus)
        }
        break
      }
      _ = try await serving.value
    }
  }

  @Test func aPortThatIsTakenIsSaid() async throws {
    try await serving { port in
      let other = OperationsEndpoint(port: port, name: "other", metrics: MetricsRegistry())
      let error = await #expect(throws: DeploymentError.self) { try await other.run() }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("127.0.0.1:\(port)") == true)
    }
  }
}
