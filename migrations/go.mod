module weir/migrations

go 1.26.0
