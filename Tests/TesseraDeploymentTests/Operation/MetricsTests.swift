import CoreMetrics
import Foundation
import SystemPackage
import TesseraDeployment
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct MetricsTests {
  let registry = MetricsRegistry()

  @Test func eachMetricHasItsHelpItsTypeAndItsValues() {
    let rounds = registry.counter("tessera_rounds_total", "Rounds.", labels: ["job"])
    rounds.add(2, ["b"])
    rounds.add(1, ["a"])
    rounds.add(0.5, ["a"])
    registry.gauge("tessera_sites", "Sites.").set(3)
    let seconds = registry.histogram("tessera_seconds", "Times.", buckets: [0.1, 1, 10])
    for value in [0.05, 0.1, 0.5, 100] { seconds.observe(value) }
    _ = registry.gauge("tessera_unused", "Nothing.")
    #expect(
      registry.exposition() == """
        # HELP tessera_rounds_total Rounds.
        # TYPE tessera_rounds_total counter
        tessera_rounds_total{job="a"} 1.5
        tessera_rounds_total{job="b"} 2
        # HELP tessera_seconds Times.
        # TYPE tessera_seconds histogram
        tessera_seconds_bucket{le="0.1"} 2
        tessera_seconds_bucket{le="1"} 3
        tessera_seconds_bucket{le="10"} 3
        tessera_seconds_bucket{le="+Inf"} 4
        tessera_seconds_sum 100.65
        tessera_seconds_count 4
        # HELP tessera_sites Sites.
        # TYPE tessera_sites gauge
        tessera_sites 3

        """
    )
  }

  @Test func aCounterNeverFallsAndAHistogramCountsNoNonsense() {
    let counter = registry.counter("a_total", "A.")
    for amount in [1, -5, .nan, .infinity, 2] { counter.add(amount) }
    registry.histogram("b", "B.", buckets: [1]).observe(.nan)
    #expect(registry.exposition().contains("\na_total 3\n"))
    #expect(!registry.exposition().contains("b_count"))
  }

  @Test func aJobThatIsGoneLeavesNothing() {
    let metrics = FederationMetrics(in: registry)
    let site = Site(index: 0, name: "north", exampleCount: 1)
    for job in ["a-1", "b-2"] {
      metrics.observe(.answered(site, answers: 1), of: job)
      metrics.observe(.refused(Refusal(site: site, reason: "x")), of: job)
      metrics.bytes.add(100, [job, "north", "up"])
      metrics.finishRound(after: 0.2, of: job)
    }
    metrics.forget(job: "a-1")
    let text = registry.exposition()
    #expect(!text.contains("a-1"))
    #expect(text.contains("tessera_rounds_total{job=\"b-2\"} 1\n"))
    #expect(
      text.contains(
        "tessera_answers_total{job=\"b-2\",site=\"north\",outcome=\"accepted\"} 1\n"
      )
    )
    #expect(text.contains("tessera_round_seconds_bucket{job=\"b-2\",le=\"0.25\"} 1\n"))
  }

  @Test func aGaugeOfStatesForgetsThoseThatAreNoMore() {
    let metrics = FederationMetrics(in: registry)
    metrics.jobs.replace(with: ["running": 2, "submitted": 1])
    metrics.jobs.replace(with: ["running": 1])
    let text = registry.exposition()
    #expect(text.contains("tessera_jobs{state=\"running\"} 1\n"))
    #expect(!text.contains("submitted"))
  }

  @Test func labelsAreBounded() {
    let counter = registry.counter("a_total", "A.", labels: ["name"])
    for number in 0..<MetricsRegistry.mostSeries + 100 { counter.add(1, ["\(number)"]) }
    counter.add(1, ["0"])
    let lines = registry.exposition().split(separator: "\n")
    #expect(lines.count == MetricsRegistry.mostSeries + 2)
    #expect(lines.contains("a_total{name=\"0\"} 2"))
  }

  @Test func whatLibrariesMeasureIsThereToo() {
    let requests = CoreMetrics.Counter(
      label: "http.requests",
      dimensions: [("le", "1"), ("0status", "2\"0\n0"), ("__x", "y")],
      factory: registry
    )
    requests.increment(by: 3)
    CoreMetrics.Gauge(label: "queue size", factory: registry).record(7)
    let timer = CoreMetrics.Timer(label: "http.time", factory: registry)
    timer.recordMilliseconds(20)
    CoreMetrics.Recorder(label: "sizes", factory: registry).record(50)
    let meter = CoreMetrics.Meter(label: "level", factory: registry)
    meter.set(5)
    meter.decrement(by: 2)
    CoreMetrics.FloatingPointCounter(label: "fractions", factory: registry).increment(by: 0.25)
    // The name of a metric of another kind stops nothing.
    registry.gauge("taken_total", "Taken.").set(1)
    CoreMetrics.Counter(label: "taken", factory: registry).increment()
    let text = registry.exposition()
    for line in [
      "http_requests_total{_0status=\"2\\\"0\\n0\",label___x=\"y\",label_le=\"1\"} 3",
      "queue_size 7", "http_time_seconds_sum 0.02", "http_time_seconds_bucket{le=\"0.025\"} 1",
      "sizes_bucket{le=\"10\"} 0", "sizes_bucket{le=\"100\"} 1", "level 3", "fractions_total 0.25",
      "taken_total 1", "taken_total_counter 1",
    ] {
      #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)")
    }
    requests.reset()
    #expect(text != registry.exposition())
    timer.destroy()
    #expect(!registry.exposition().contains("http_time_seconds"))
  }

  @Test func thePrometheusParserReadsIt() async throws {
    let folder = try TemporaryFolder()
    let metrics = FederationMetrics(in: registry)
    metrics.watchCertificate(until: Date(timeIntervalSinceNow: 86_400))
    metrics.connectedSites.set(2)
    metrics.logLines.add(5, ["warning"])
    metrics.finishRound(after: 0.3, of: "a\\b\"c\nd")
    metrics.roundSeconds.observe(.infinity, ["a\\b\"c\nd"])
    metrics.holdsLease.set(1)
    registry.gauge("odd", "With \\ and \"quotes\"\nand lines.", labels: ["x"]).set(.nan, ["é 🙂"])
    registry.gauge("small", "Small.").set(-1.5e-9)
    registry.gauge("large", "Large.").set(.infinity)
    CoreMetrics.Timer(label: "a.b-c", dimensions: [("d e", "f")], factory: registry)
      .recordNanoseconds(5)
    let file = try folder.file("metrics", Array(registry.exposition().utf8))
    try await python(
      """
      import math, sys
      from prometheus_client.parser import text_string_to_metric_families
      text = open(sys.argv[1], newline="").read()
      families = {f.name: f for f in text_string_to_metric_families(text)}
      def one(name, **labels):
          found = [s.value for f in families.values() for s in f.samples
                   if s.name == name and s.labels == labels]
          assert len(found) == 1, (name, labels, found)
          return found[0]
      assert one("tessera_connected_sites") == 2
      assert families["tessera_connected_sites"].type == "gauge"
      assert families["tessera_rounds"].type == "counter"
      assert families["tessera_round_seconds"].type == "histogram"
      job = 'a\\\\b"c\\nd'
      assert one("tessera_rounds_total", job=job) == 1
      assert one("tessera_round_seconds_count", job=job) == 2
      assert one("tessera_round_seconds_bucket", job=job, le="0.25") == 0
      assert one("tessera_round_seconds_bucket", job=job, le="+Inf") == 2
      assert 86000 < one("tessera_certificate_expiry_seconds") <= 86400
      assert one("tessera_log_lines_total", level="warning") == 5
      assert math.isnan(one("odd", x="é 🙂"))
      assert families["odd"].documentation == 'With \\\\ and "quotes"\\nand lines.'
      assert one("small") == -1.5e-9 and one("large") == math.inf
      assert one("a_b_c_seconds_count", d_e="f") == 1
      assert 1e6 < one("process_resident_memory_bytes") < 1e11
      assert one("process_cpu_seconds_total") > 0
      assert families["process_cpu_seconds"].type == "counter"
      import time
      assert 0 <= time.time() - one("process_start_time_seconds") < 86400
      assert one("process_open_fds") > 2 and one("process_max_fds") > 16
      """,
      [file.string]
    )
  }
}
