import Foundation
import TesseraFederation
import Testing

@Suite struct BudgetLedgerTests {
  static func entry(_ round: Int, noise: Double = 8) -> BudgetLedger.Entry {
    BudgetLedger.Entry(
      id: "job/round-\(round)",
      round: round,
      purpose: "update",
      events: [PrivacyEvent(.gaussian(noiseMultiplier: noise))]
    )
  }

  static func ledger(_ kind: AccountantKind = .rdp, epsilon: Double = 1.5) throws -> BudgetLedger {
    BudgetLedger(
      owner: "site-3",
      budget: try PrivacyBudget(epsilon: epsilon, delta: 1e-5, accountant: kind)
    )
  }

  @Test(arguments: AccountantKind.allCases)
  func roundsAreChargedUntilOneWouldOverspend(kind: AccountantKind) throws {
    var ledger = try Self.ledger(kind)
    #expect(try ledger.spent() == 0)
    #expect(try ledger.remaining() == 1.5)
    var round = 1
    var before = ledger
    let refusal = #expect(throws: FederationError.self) {
      while round < 100 {
        before = ledger
        try ledger.charge(Self.entry(round))
        let spent = try ledger.spent()
        #expect(try ledger.remaining() == 1.5 - spent)
        #expect(spent <= 1.5)
        round += 1
      }
    }
    #expect(ledger == before)
    #expect(ledger.entries.count == round - 1)
    #expect(refusal?.code == .budgetExhausted)
    let spent = try ledger.spent()
    let after = try ledger.spent(with: Self.entry(round).events)
    #expect(after > 1.5)
    var accountant = kind.makeAccountant()
    try accountant.compose(.gaussian(noiseMultiplier: 8), count: round - 1)
    #expect(spent == (try accountant.epsilon(delta: 1e-5)))
    let message = try #require(refusal?.message)
    #expect(message.hasPrefix("site-3: round \(round): 'update'"))
    #expect(message.contains("allowed 1.5, at delta 1e-05"))
    let numbers = message.split(whereSeparator: { !"0123456789.".contains($0) }).compactMap {
      Double($0)
    }
    #expect(numbers.contains { agree($0, spent, relative: 0, absolute: 1.1e-6) })
    #expect(numbers.contains { agree($0, after, relative: 0, absolute: 1.1e-6) && $0 > 1.5 })
    // A smaller release may still fit.
    try ledger.charge(Self.entry(round, noise: 1000))
  }

  @Test func aReplayedRoundIsNotCountedTwice() throws {
    var ledger = try Self.ledger()
    #expect(try ledger.charge(Self.entry(1)))
    #expect(try ledger.charge(Self.entry(2)))
    let once = ledger
    #expect(try !ledger.charge(Self.entry(1)))
    #expect(ledger == once)
    let error = #expect(throws: FederationError.self) {
      try ledger.charge(Self.entry(1, noise: 9))
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("'job/round-1'") == true)
    #expect(ledger == once)
  }

  @Test func anExhaustedLedgerStillKnowsItsReplays() throws {
    var ledger = try Self.ledger(epsilon: 0.8)
    try ledger.charge(Self.entry(1))
    #expect(throws: FederationError.self) { try ledger.charge(Self.entry(2, noise: 1)) }
    #expect(try !ledger.charge(Self.entry(1)))
  }

  @Test func whatWasNotReleasedCanBeWithdrawn() throws {
    var ledger = try Self.ledger()
    try ledger.charge(Self.entry(1))
    let one = ledger
    try ledger.charge(Self.entry(2))
    let taken = ledger.withdraw(id: "job/round-2")
    #expect(taken)
    #expect(ledger == one)
    let takenAgain = ledger.withdraw(id: "job/round-2")
    #expect(!takenAgain)
    try ledger.charge(Self.entry(2))
    ledger.withdraw(id: "job/round-1")
    #expect(try !ledger.charge(Self.entry(2)))
    #expect(ledger.entries.map(\.round) == [2])
  }

  @Test func impossibleReleasesAreRefusedByOwnerAndRound() throws {
    var ledger = try Self.ledger()
    for event in PrivacyAccountantTests.impossible {
      var entry = Self.entry(4)
      entry.events.append(event)
      let error = #expect(throws: FederationError.self) { try ledger.charge(entry) }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.hasPrefix("site-3: round 4: ") == true)
    }
    #expect(ledger.entries.isEmpty)
  }

  @Test func aLedgerSurvivesCodingAndIsCheckedWhenRead() throws {
    var ledger = try Self.ledger(.pld)
    try ledger.charge(Self.entry(1))
    try ledger.charge(Self.entry(2))
    let data = try JSONEncoder().encode(ledger)
    var read = try JSONDecoder().decode(BudgetLedger.self, from: data)
    #expect(read == ledger)
    #expect(try !read.charge(Self.entry(2)))
    let text = try #require(String(data: data, encoding: .utf8))
    for (good, bad) in [
      ("job\\/round-2", "job\\/round-1"), ("\"noiseMultiplier\":8", "\"noiseMultiplier\":-8"),
      ("\"epsilon\":1.5", "\"epsilon\":-1.5"), ("\"delta\":1e-05", "\"delta\":2"),
      ("\"pld\"", "\"none\""),
    ] {
      let broken = text.replacingOccurrences(of: good, with: bad)
      #expect(broken != text, "\(good) in \(text)")
      #expect(throws: (any Error).self, "\(bad)") {
        try JSONDecoder().decode(BudgetLedger.self, from: Data(broken.utf8))
      }
    }
  }

  @Test func impossibleBudgetsAreRefused() {
    for (epsilon, delta) in [
      (0, 1e-5), (-1, 1e-5), (Double.nan, 1e-5), (.infinity, 1e-5), (1, -1e-5), (1, 1), (1, .nan),
    ] {
      let error = #expect(throws: FederationError.self) {
        try PrivacyBudget(epsilon: epsilon, delta: delta)
      }
      #expect(error?.code == .invalidConfiguration)
    }
  }
}
