import CReference
import Foundation

@main
struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 15
    switch arguments.first {
    case "step": try TrainingStep.run(rounds: rounds)
    case "fold": try Folding.run(rounds: rounds)
    case "sites": try await Rounds.many(rounds: rounds)
    case "small-round": try await Rounds.small(rounds: rounds)
    case "large-round": try await Rounds.large(rounds: rounds)
    case "layered-round": try await Rounds.layered(rounds: rounds)
    case "mean-memory": try MeanMemory.run()
    case "encrypt-symmetric", "encrypt-public":
      try await Encrypting.run(
        primes: arguments.dropFirst(2).first.flatMap { Int($0) } ?? 1,
        isPublic: arguments.first == "encrypt-public",
        count: rounds
      )
    case "training":
      try await FederatedTraining.run(
        writing: arguments.dropFirst(2).first ?? "/dev/null",
        rounds: rounds
      )
    case "retrieval-step":
      try await RetrievalStep.run(
        steps: rounds,
        threads: arguments.dropFirst(2).first.flatMap { Int($0) } ?? 2
      )
    case "step-ours": try TrainingStep.ours(rounds)
    case "step-theirs": TrainingStep.theirs(rounds)
    case "add-ours": try Additions.ours(rounds)
    case "add-theirs": Additions.theirs(rounds)
    default:
      FileHandle.standardError.write(
        Data(
          """
          usage: TesseraBenchmarks step|fold|sites|small-round|large-round|layered-round|mean-memory|\
          step-ours|step-theirs|add-ours|add-theirs [rounds]
                 TesseraBenchmarks encrypt-symmetric|encrypt-public [weights] [primes]
                 TesseraBenchmarks training [rounds] [file of the division]
                 TesseraBenchmarks retrieval-step [steps] [threads]

          """.utf8
        )
      )
      exit(64)
    }
  }
}
