import TesseraCore
import TesseraFederation
import Testing

@Suite struct ExcludeTensorsTests {
  @Test(arguments: [
    ("head.weight", "head.weight", true), ("head.weight", "head.weight2", false),
    ("head.*", "head.weight", true), ("head.*", "ahead.weight", false), ("*", "", true),
    ("*.norm*.bias", "block.1.norm2.bias", true), ("*.norm*.bias", "block.1.norm2.bias.x", false),
    ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("*aab", "aaaaaab", true),
    ("é*", "éa", true), ("**x**", "x", true), ("a", "", false),
  ])
  func aPatternFitsNames(pattern: String, name: String, fits: Bool) throws {
    #expect(try TensorNames([pattern]).contains(name) == fits)
  }

  @Test func aPatternOfManyStarsIsQuick() throws {
    let pattern = String(repeating: "a*", count: 300) + "b"
    #expect(try !TensorNames([pattern]).contains(String(repeating: "a", count: 10_000)))
  }

  @Test func tensorsStayBehindAndAreListed() throws {
    let exchange = Exchange.collection([
      "model": .weights(try Sample.reference()), "variate": .difference(try Sample.change()),
    ])
    let result = try ExcludeTensors(["b*"]).apply(to: exchange, in: Sample.context())
    for part in ["model", "variate"] {
      #expect(result.parts[part]?.tensors.names == ["a"])
      #expect(result.parts[part]?.metadata.excluded == ["b"])
    }
    let again = try ExcludeTensors(["b"]).apply(to: result, in: Sample.context())
    #expect(again.parts["model"]?.metadata.excluded == ["b"])
  }

  @Test func aNameThatNoTensorHasIsAnError() throws {
    let exchange = Exchange.weights(try Sample.reference())
    expectRefusal(.invalidConfiguration, naming: "exclude-tensors", "'hed.*'") {
      _ = try ExcludeTensors(["a", "hed.*"]).apply(to: exchange, in: Sample.context())
    }
    expectRefusal(.invalidConfiguration) { _ = try ExcludeTensors([]) }
    expectRefusal(.invalidConfiguration) { _ = try ExcludeTensors(["a", ""]) }
    let metrics = try ExcludeTensors(["hed.*"]).apply(
      to: .metrics(["loss": 1]),
      in: Sample.context()
    )
    #expect(metrics.metrics == ["loss": 1])
  }

  @Test func codesOfTensorsAreNotMistakenForThem() throws {
    let codes = try Quantize(blockSize: 16)
      .apply(to: .weights(Sample.reference()), in: Sample.context())
    expectRefusal(naming: "site-4", "exclude-tensors", "quantised: int8") {
      _ = try ExcludeTensors(["b"]).apply(to: codes, in: Sample.context())
    }
  }
}
